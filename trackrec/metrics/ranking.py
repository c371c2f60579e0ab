"""How well scores put liked rows above the others: over all rows, and within each user."""

from __future__ import annotations

import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score

from trackrec.metrics.arrays import Ints, Labels, Scores, Users


def auc(label: Labels, score: Scores) -> float:
    """Area under the ROC curve; ties count half; NaN with rows of one class only."""
    if len(np.unique(label)) < 2:
        return float("nan")
    return float(roc_auc_score(label, score))


def user_areas(label: Labels, score: Scores, user: Users) -> tuple[Scores, Ints]:
    """AUC within each user's rows and the number of these, both (users,), in the order of ``np.unique(user)``.

    NaN for a user with one label only, as no pair of theirs can be ranked. By ranks within the user (Mann-Whitney),
    ties at their mean rank: 10 ms for 10,000 rows of 943 users, where an AUC of scikit-learn each takes 1 s.
    """
    _, code = np.unique(user, return_inverse=True)
    rank = pd.Series(score).groupby(code).rank().to_numpy(dtype=np.float64)
    events, liked = np.bincount(code), np.bincount(code[label == 1], minlength=int(code.max(initial=-1)) + 1)
    ranks_of_liked = np.bincount(code, weights=np.where(label == 1, rank, 0.0))
    with np.errstate(invalid="ignore"):  # 0 / 0: a user with one label only
        areas = (ranks_of_liked - liked * (liked + 1) / 2) / (liked * (events - liked))
    return areas, events.astype(np.int64)


def ranked_users(label: Labels, user: Users) -> int:
    """How many users have both labels, so that their rows can be ranked: those that ``uauc`` is a mean over."""
    return int((~np.isnan(user_areas(label, np.zeros(len(label)), user)[0])).sum()) if len(label) else 0


def uauc(label: Labels, score: Scores, user: Users, *, weighted: bool = True) -> float:
    """Mean over users of the AUC within the user's rows; NaN where no user has both labels.

    Weighted by the number of the user's rows, or each user counts once. Users with one label only are left out.
    """
    if len(label) == 0:
        return float("nan")
    areas, events = user_areas(label, score, user)
    rankable = ~np.isnan(areas)
    if not rankable.any():
        return float("nan")
    return float(np.average(areas[rankable], weights=events[rankable] if weighted else None))
