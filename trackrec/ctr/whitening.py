"""Vectors centred, cut to a few principal components and whitened: what an encoder gives, made usable as input.

An encoder's vectors share a mean of norm .86 to .98 and say little of a user in each of their 384 directions: a signal
planted in 10 % of their variance and worth +.0128 came out of them as they are as +.0021, +.0005, -.0013, and out of
16 whitened components as +.0116, +.0109, +.0067. All 384 dimensions scaled alike overfit.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sklearn.decomposition import PCA

from trackrec.runtime.errors import BadInputError

Floats = npt.NDArray[np.float32]
_ROUND_OFF = 1e-6  # of the vectors' length: what looks like variance below it is none


@dataclass(frozen=True)
class Whitening:
    """A linear map (…, size) → (…, k); on what it was fitted on each output has mean 0 and standard deviation 1."""

    mean: npt.NDArray[np.float64]  # (size,)
    components: npt.NDArray[np.float64]  # (k, size), orthonormal
    deviation: npt.NDArray[np.float64]  # (k,) standard deviation along each component; infinite where there is none

    def apply(self, vectors: Floats) -> Floats:
        """``vectors`` (rows, size) → (rows, k)."""
        projected = (vectors - self.mean) @ self.components.T / self.deviation
        return np.asarray(projected, dtype=np.float32)


def fit_whitening(vectors: Floats, size: int, name: str) -> Whitening:
    """The whitening to ``size`` components that is fitted on ``vectors`` (rows, floats), those of training rows only.

    ``name`` is the table's and column's, for the error. Directions without variance stay 0. BadInputError: fewer
    vectors, or fewer floats each, than components.
    """
    rows, floats = vectors.shape
    if rows <= size or floats < size:
        raise BadInputError(
            f"{name}: the CTR training rows read {rows:,} vectors of {floats} floats, too few to fit {size} "
            "principal components (ctr.components).",
            _remedy(rows, floats, size),
        )
    pca = PCA(n_components=size, svd_solver="covariance_eigh").fit(vectors.astype(np.float64))
    deviation = np.sqrt(np.maximum(pca.explained_variance_, 0))
    length = np.sqrt((vectors.astype(np.float64) ** 2).sum(axis=1).mean())
    deviation = np.where(deviation > _ROUND_OFF * length, deviation, np.inf)
    return Whitening(pca.mean_, pca.components_, deviation)


def _remedy(rows: int, floats: int, size: int) -> str:
    """More vectors are of no help where each of them has too few floats."""
    most = min(rows - 1, floats)
    ways = [f"Lower ctr.components to {most:,} or less"] if most > 0 else []
    if floats >= size:
        ways.append("raise histories.max_users and run jobs/nightly.py again")
    text = ", or ".join(ways)
    return f"{text[:1].upper()}{text[1:]}."
