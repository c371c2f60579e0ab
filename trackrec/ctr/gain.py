"""What the features are worth: the difference to plain paired by seed, and whether chance could have brought it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from trackrec.ctr.results import GainRow, SliceGain
from trackrec.ctr.roles import PLAIN, PLANTED, WITHOUT_ITEM_TEXT

ALL = "all"  # the slice of all test rows
FOUND = 0.6  # share of a planted signal's worth that must come out


@dataclass(frozen=True)
class Gain:
    """An arm against plain: AUC differences of the seeds, and the interval of their mean over users and seeds."""

    arm: str
    differences: tuple[float, ...]
    interval: tuple[float, float]  # 95 %; how it is made stands in ``comparison``
    minimum_detectable: float = float("nan")  # the smallest true gain that 80 % of such tests would have shown
    planted_worth: float | None = None  # of the planted arm: the AUC that there was to find

    @property
    def mean(self) -> float:
        """Mean difference over seeds."""
        return float(np.mean(self.differences))

    @property
    def spread(self) -> float:
        """Standard deviation of the difference over seeds (n − 1); NaN with one seed."""
        return float(np.std(self.differences, ddof=1)) if len(self.differences) > 1 else float("nan")

    @property
    def is_gain(self) -> bool:
        """Whether the interval lies above 0 and the mean exceeds the seeds' spread; never with one seed."""
        return self.mean > self.spread and self.interval[0] > 0

    @property
    def is_loss(self) -> bool:
        """As ``is_gain``, below 0."""
        return self.mean < -self.spread and self.interval[1] < 0

    @property
    def is_more_than_chance(self) -> bool:
        """Whether the difference is more than chance: a gain or a loss, or the planted signal found."""
        return self.planted_found if self.arm == PLANTED else self.is_gain or self.is_loss

    @property
    def planted_found(self) -> bool:
        """Of the planted arm: whether its interval lies above 0 and at least 0.6 of what was planted came out."""
        return self.interval[0] > 0 and self.mean >= FOUND * (self.planted_worth or 0.0)

    def verdict(self) -> str:
        """One sentence. A difference counts only if it exceeds its spread over seeds and the interval excludes 0."""
        seeds, takes_away = len(self.differences), self.arm == WITHOUT_ITEM_TEXT
        if seeds < 2:
            shown = "nothing" if takes_away else "no gain"
            return f"{self.arm}: {self.mean:+.4f} with one seed: its spread is unknown, {shown} shown"
        figures = f"{self.arm}: {self.mean:+.4f} ± {self.spread:.4f} over {seeds} seeds"
        figures += f" (95 % interval over users and seeds {self.interval[0]:+.4f} to {self.interval[1]:+.4f})"
        if takes_away and (self.is_gain or self.is_loss):
            return f"{figures}: item texts are worth {-self.mean:+.4f} to plain"
        if takes_away:
            return f"{figures}: within noise, what item texts are worth to plain is not shown"
        if self.is_gain:
            return f"{figures}: a gain"
        if self.is_loss:
            return f"{figures}: a loss, the features make the model worse"
        if self.mean < 0:
            return f"{figures}: negative, within noise, no gain shown"
        return f"{figures}: within noise, no gain shown"


def gains_of(rows: Sequence[GainRow], slices: Sequence[SliceGain]) -> dict[str, Gain]:
    """Gains by arm out of the rows of ``feature_gain`` and ``gain_slices`` of one run and backbone.

    Of an arm without a row of the slice ``all`` the interval and what could be detected are NaN.
    """
    of_all = {row.arm: row for row in slices if row.slice == ALL}
    gains = {}
    for arm in dict.fromkeys(row.arm for row in rows if row.auc_gain is not None and row.arm != PLAIN):
        of_arm = [row for row in rows if row.arm == arm]
        differences = tuple(row.auc_gain for row in of_arm if row.auc_gain is not None)
        worths = [row.planted_worth for row in of_arm if row.planted_worth is not None]
        worth = float(np.mean(worths)) if worths else None
        nan = float("nan")
        low, high, smallest = (s.low, s.high, s.minimum_detectable) if (s := of_all.get(arm)) else (nan, nan, nan)
        gains[arm] = Gain(arm, differences, (low, high), smallest, worth)
    return gains
