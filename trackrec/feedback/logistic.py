"""Logistic regression by Newton's method, in a few dimensions."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
_STEPS = 50  # it needs about six
_ENOUGH = 1e-9  # the largest change of a weight at which it ends


def logistic_weights(
    x: Array, label: Array, start: Array, prior: Array, penalty: Array, fixed: Array | None = None
) -> Array:
    """w, (k,), of logit p = x · w + fixed by maximum likelihood less penalty · (w - prior)² / 2.

    ``x``: (rows, k); ``label``: (rows,), 0 or 1; ``fixed``: (rows,), log-odds that stay as they are, None: 0; the
    others are (k,).
    """
    beside = np.zeros(len(label)) if fixed is None else fixed
    sides = np.where(label == 1, -1, 1)

    def loss(weights: Array) -> float:
        return float(np.logaddexp(0, sides * (x @ weights + beside)).sum() + penalty @ (weights - prior) ** 2 / 2)

    weights = start
    for _ in range(_STEPS):
        p = 1 / (1 + np.exp(-(x @ weights + beside)))
        gradient = x.T @ (p - label) + penalty * (weights - prior)
        step = np.linalg.solve((x * (p * (1 - p))[:, None]).T @ x + np.diag(penalty), gradient)
        while loss(weights - step) > loss(weights) and float(np.abs(step).max()) > _ENOUGH:
            step = step / 2  # far from the least loss a whole step of Newton's goes too far
        weights = weights - step
        if float(np.abs(step).max()) <= _ENOUGH:
            break
    return weights
