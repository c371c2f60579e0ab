"""What other evidence is worth beside log-odds that stay as they are."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from trackrec.feedback.logistic import logistic_weights

_RIDGE = 1e-3  # of the weight: a model that answers the same always has none


def stacking_weight(log_odds: Sequence[float], offset: Sequence[float], label: Sequence[int]) -> tuple[float, float]:
    """(w, c) of logit p = offset + w · log_odds + c by maximum likelihood, the offset as it is."""
    x = np.column_stack([np.asarray(log_odds, dtype=float), np.ones(len(label))])
    start, penalty = np.zeros(2), np.full(2, _RIDGE)
    weight, bias = logistic_weights(x, np.asarray(label), start, start, penalty, np.asarray(offset, dtype=float))
    return float(weight), float(bias)
