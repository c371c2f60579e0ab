"""What other evidence is worth beside log-odds that stay as they are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

_RIDGE = 1e-3  # of the weights: evidence that is the same always has none
Array = np.ndarray[Any, Any]


def stacking_weights(evidence: Sequence[Sequence[float]], offset: Sequence[float], label: Sequence[int]) -> Array:
    """(*w, c) of logit p = offset + evidence · w + c by maximum likelihood, the offset as it is; Newton's method.

    ``evidence``: (rows, k); returns (k + 1,).
    """
    x = with_constant(evidence)
    fixed, y = np.asarray(offset, dtype=float), np.asarray(label, dtype=float)
    weights = np.zeros(x.shape[1])
    for _ in range(50):
        p = 1 / (1 + np.exp(-(fixed + x @ weights)))
        gradient = x.T @ (y - p) - _RIDGE * weights
        step = np.linalg.solve(x.T @ (x * (p * (1 - p))[:, None]) + _RIDGE * np.eye(len(weights)), gradient)
        weights = weights + step
        if np.abs(step).max() < 1e-9:
            break
    return weights


def with_constant(evidence: Sequence[Sequence[float]]) -> Array:
    """The evidence and a column of ones: (rows, k + 1)."""
    x = np.asarray(evidence, dtype=float)
    return np.column_stack([x, np.ones(len(x))])
