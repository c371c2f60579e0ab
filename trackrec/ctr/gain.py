"""What a feature is worth: AUC, log-loss, the paired difference, its noise, and the verdict in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from trackrec.ctr.as_of import Ints

Scores = npt.NDArray[np.float64]
RESAMPLES = 1000


def auc(label: Ints, score: Scores, weight: Scores | None = None) -> float:
    """Area under the ROC curve of ``score`` (rows,) for 0/1 ``label``; ties count half; NaN with one class only."""
    return float(_Ranking(label, score).auc(np.ones(len(label)) if weight is None else weight))


def logloss(label: Ints, probability: Scores) -> float:
    """Mean negative log-likelihood in nats; probabilities are kept 1e-7 away from 0 and 1."""
    p = np.clip(probability, 1e-7, 1 - 1e-7)
    return float(-np.mean(np.where(label == 1, np.log(p), np.log(1 - p))))


class _Ranking:
    """Rows sorted by score once, so that AUC under many weightings needs no further sorting."""

    def __init__(self, label: Ints, score: Scores) -> None:
        self.order = np.argsort(score, kind="stable")
        self.liked = label[self.order] == 1
        self.starts = np.flatnonzero(np.diff(score[self.order], prepend=-np.inf))

    def auc(self, weight: Scores) -> float:
        w = weight[self.order]
        good = np.add.reduceat(np.where(self.liked, w, 0.0), self.starts)
        bad = np.add.reduceat(np.where(self.liked, 0.0, w), self.starts)
        pairs = good.sum() * bad.sum()
        return float((good * (np.cumsum(bad) - bad / 2)).sum() / pairs) if pairs else float("nan")


def bootstrap_interval(label: Ints, user: Ints, plain: Scores, arm: Scores) -> tuple[float, float]:
    """95 % interval of AUC(arm) − AUC(plain) when the test users are drawn again, 1,000 times, with replacement.

    Whole users are drawn because a user's rows rise and fall together; both models are scored on the same draw.
    ``plain`` and ``arm`` are predictions averaged over seeds, shape (rows,). NaN with fewer than two users.
    """
    _, code = np.unique(user, return_inverse=True)
    users = int(code.max()) + 1
    if users < 2:
        return float("nan"), float("nan")
    draws = np.random.default_rng(0).multinomial(users, np.full(users, 1 / users), size=RESAMPLES)
    rank_plain, rank_arm = _Ranking(label, plain), _Ranking(label, arm)
    weights = (draw[code].astype(np.float64) for draw in draws)
    low, high = np.nanpercentile([rank_arm.auc(w) - rank_plain.auc(w) for w in weights], [2.5, 97.5])
    return float(low), float(high)


@dataclass(frozen=True)
class Gain:
    """An arm against plain, paired by seed: AUC differences of the seeds, and the interval over test users."""

    arm: str
    differences: tuple[float, ...]
    interval: tuple[float, float]

    @property
    def mean(self) -> float:
        """Mean difference over seeds."""
        return float(np.mean(self.differences))

    @property
    def spread(self) -> float:
        """Standard deviation of the difference over seeds (n − 1); NaN with one seed."""
        return float(np.std(self.differences, ddof=1)) if len(self.differences) > 1 else float("nan")

    def verdict(self) -> str:
        """One sentence. A difference counts only if it exceeds its spread over seeds and the interval excludes 0."""
        seeds = len(self.differences)
        figures = f"{self.arm}: {self.mean:+.4f} ± {self.spread:.4f} over {seeds} seeds"
        figures += f" (95 % interval over test users {self.interval[0]:+.4f} to {self.interval[1]:+.4f})"
        if seeds < 2:
            return f"{self.arm}: {self.mean:+.4f} with one seed: its spread is unknown, no gain shown"
        if self.mean > self.spread and self.interval[0] > 0:
            return f"{figures}: a gain"
        if self.mean < -self.spread and self.interval[1] < 0:
            return f"{figures}: a loss, the features make the model worse"
        if self.mean < 0:
            return f"{figures}: negative, within noise, no gain shown"
        return f"{figures}: within noise, no gain shown"


def control_verdict(gains: Mapping[str, Gain]) -> str | None:
    """A sentence if reccot's difference is positive but no larger than that of a random vector or of two numbers."""
    if "reccot" not in gains or gains["reccot"].mean <= 0:
        return None
    rivals = [a for a in ("random_vector", "two_numbers") if a in gains and gains[a].mean >= gains["reccot"].mean]
    return f"reccot brings no more than its control {' and '.join(rivals)}: the texts earn nothing" if rivals else None


def floor_verdicts(arms: Mapping[str, Sequence[float]], floors: Mapping[str, float]) -> list[str]:
    """A sentence for each network whose mean test AUC is below a floor (the highest such floor is named)."""
    found = []
    best, height = max(floors.items(), key=lambda floor: floor[1])
    for arm, scores in arms.items():
        mean = float(np.mean(scores))
        if mean < height:
            found.append(
                f"{arm}: {mean:.4f} is below the floor {best} ({height:.4f}): "
                "this network is not yet a serious baseline"
            )
    return found
