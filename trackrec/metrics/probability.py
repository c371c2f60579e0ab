"""How near probabilities are to what happened: log-loss and calibration."""

from __future__ import annotations

import numpy as np
from sklearn.metrics import log_loss

from trackrec.metrics.arrays import Labels, Scores

_NEAREST = 1e-7  # to 0 and 1: one row that was certain and wrong costs 16 nats, not infinity
BINS = 10


def logloss(label: Labels, probability: Scores) -> float:
    """Mean negative log-likelihood in nats; probabilities are kept 1e-7 away from 0 and 1; NaN without rows."""
    if len(label) == 0:
        return float("nan")
    return float(log_loss(label, np.clip(probability, _NEAREST, 1 - _NEAREST), labels=[0, 1]))


def row_losses(label: Labels, probability: Scores) -> Scores:
    """Negative log-likelihood of each row in nats, its probability kept as in ``logloss``, which is their mean."""
    kept = np.clip(probability, _NEAREST, 1 - _NEAREST)
    return np.asarray(-np.log(np.where(label == 1, kept, 1 - kept)))


def calibration_error(label: Labels, probability: Scores) -> float:
    """ECE: over 10 bins of equal width, mean |share of label 1 − mean probability|, weighted by the bins' rows.

    A bin holds its lower edge; the last one holds 1.0 too. Empty bins count nothing. NaN without rows.
    """
    if len(label) == 0:
        return float("nan")
    bins = np.minimum((probability * BINS).astype(int), BINS - 1)
    liked = np.bincount(bins, weights=label, minlength=BINS)
    expected = np.bincount(bins, weights=probability, minlength=BINS)
    return float(np.abs(liked - expected).sum() / len(label))
