"""How well scores put liked rows above the others: over all rows, and within each user."""

from __future__ import annotations

import numpy as np
from sklearn.metrics import roc_auc_score

from trackrec.metrics.arrays import Labels, Scores, Users


def auc(label: Labels, score: Scores) -> float:
    """Area under the ROC curve; ties count half; NaN with rows of one class only."""
    if len(np.unique(label)) < 2:
        return float("nan")
    return float(roc_auc_score(label, score))


def uauc(label: Labels, score: Scores, user: Users) -> float:
    """Mean over users of the AUC within the user's rows, weighted by their number; NaN where no user has both labels.

    Users with one label only are left out, as no pair of theirs can be ranked.
    """
    areas, sizes = [], []
    for name in np.unique(user):
        rows = user == name
        area = auc(label[rows], score[rows])
        if not np.isnan(area):
            areas.append(area)
            sizes.append(int(rows.sum()))
    return float(np.average(areas, weights=sizes)) if areas else float("nan")
