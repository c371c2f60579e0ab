"""What the features are worth: the difference to plain paired by seed, and whether chance could have brought it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from trackrec.ctr.results import GainRow, SliceGain
from trackrec.ctr.roles import PLAIN

ALL = "all"  # the slice of all test rows
TWO_SIDED_5 = 1.96  # standard errors to each side make an interval of 95 %
_POWER_80 = 0.84  # standard errors by which 80 % of the repetitions exceed their own threshold
FOUND = 0.6  # share of a planted signal's worth that must come out


@dataclass(frozen=True)
class Gain:
    """An arm against plain: AUC differences of the seeds, and the interval of their mean over users and seeds."""

    arm: str
    differences: tuple[float, ...]
    interval: tuple[float, float]  # 95 %, ``comparison`` says of what; NaN where there is none
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
    def minimum_detectable(self) -> float:
        """The smallest true gain that this design would have shown with 80 % power, two-sided at 5 %.

        (1.96 + 0.84) × standard error. Where the seeds' spread, which a gain must exceed too, is larger than 1.96
        standard errors, spread + 0.84 × standard error. NaN with one seed or without an interval.
        """
        error = (self.interval[1] - self.interval[0]) / (2 * TWO_SIDED_5)
        return float(np.maximum(TWO_SIDED_5 * error, self.spread) + _POWER_80 * error)

    @property
    def is_gain(self) -> bool:
        """Whether the interval lies above 0 and the mean exceeds the seeds' spread; never with one seed."""
        return self.mean > self.spread and self.interval[0] > 0

    @property
    def is_loss(self) -> bool:
        """As ``is_gain``, below 0."""
        return self.mean < -self.spread and self.interval[1] < 0

    @property
    def planted_found(self) -> bool:
        """Of the planted arm: whether its interval lies above 0 and at least 0.6 of what was planted came out."""
        return self.interval[0] > 0 and self.mean >= FOUND * (self.planted_worth or 0.0)

    def verdict(self) -> str:
        """One sentence. A difference counts only if it exceeds its spread over seeds and the interval excludes 0."""
        seeds = len(self.differences)
        if seeds < 2:
            return f"{self.arm}: {self.mean:+.4f} with one seed: its spread is unknown, no gain shown"
        figures = f"{self.arm}: {self.mean:+.4f} ± {self.spread:.4f} over {seeds} seeds"
        figures += f" (95 % interval over users and seeds {self.interval[0]:+.4f} to {self.interval[1]:+.4f})"
        if self.is_gain:
            return f"{figures}: a gain"
        if self.is_loss:
            return f"{figures}: a loss, the features make the model worse"
        if self.mean < 0:
            return f"{figures}: negative, within noise, no gain shown"
        return f"{figures}: within noise, no gain shown"


def gains_of(rows: Sequence[GainRow], slices: Sequence[SliceGain]) -> dict[str, Gain]:
    """Gains by arm out of the rows of ``feature_gain`` and ``gain_slices`` of one run and backbone.

    The interval of an arm without a row of the slice ``all`` is NaN.
    """
    intervals = {row.arm: (row.low, row.high) for row in slices if row.slice == ALL}
    gains = {}
    for arm in dict.fromkeys(row.arm for row in rows if row.auc_gain is not None and row.arm != PLAIN):
        of_arm = [row for row in rows if row.arm == arm]
        worths = [row.planted_worth for row in of_arm if row.planted_worth is not None]
        gains[arm] = Gain(
            arm,
            tuple(row.auc_gain for row in of_arm if row.auc_gain is not None),
            intervals.get(arm, (float("nan"), float("nan"))),
            float(np.mean(worths)) if worths else None,
        )
    return gains
