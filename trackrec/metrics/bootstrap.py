"""The interval of a difference of two AUCs on the same rows, when whole users are drawn again."""

from __future__ import annotations

import numpy as np

from trackrec.metrics.arrays import Labels, Scores, Users, Weights

RESAMPLES = 1000


def bootstrap_interval(label: Labels, user: Users, reference: Scores, other: Scores) -> tuple[float, float]:
    """95 % interval of AUC(other) − AUC(reference) when the users are drawn again, 1,000 times, with replacement.

    Whole users are drawn because a user's rows rise and fall together; both scores are ranked on the same draw. NaN
    with fewer than two users; a draw with one class only counts nothing.
    """
    _, code = np.unique(user, return_inverse=True)
    users = int(code.max()) + 1
    if users < 2:
        return float("nan"), float("nan")
    draws = np.random.default_rng(0).multinomial(users, np.full(users, 1 / users), size=RESAMPLES)
    first, second = _Ranking(label, reference), _Ranking(label, other)
    weights = (draw[code].astype(np.float64) for draw in draws)
    low, high = np.nanpercentile([second.auc(w) - first.auc(w) for w in weights], [2.5, 97.5])
    return float(low), float(high)


class _Ranking:
    """Rows sorted by score once, for AUCs under many weightings.

    scikit-learn's ``roc_auc_score`` sorts and checks anew for each: 3.0 ms against 0.18 ms on 10,003
    rows, 17 times, and an interval takes 2,000 of them (6 s against 0.4 s).
    """

    def __init__(self, label: Labels, score: Scores) -> None:
        self.order = np.argsort(score, kind="stable")
        self.liked = label[self.order] == 1
        self.starts = np.flatnonzero(np.diff(score[self.order], prepend=-np.inf))

    def auc(self, weight: Weights) -> float:
        """Area under the ROC curve with each row counted ``weight`` times; NaN with one class only."""
        w = weight[self.order]
        liked = np.add.reduceat(np.where(self.liked, w, 0.0), self.starts)
        others = np.add.reduceat(np.where(self.liked, 0.0, w), self.starts)
        pairs = liked.sum() * others.sum()
        return float((liked * (np.cumsum(others) - others / 2)).sum() / pairs) if pairs else float("nan")
