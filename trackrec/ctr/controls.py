"""Two controls that go through the same path as the RecCoTs: one that must bring nothing, one that must be seen.

Permuted: every snapshot's vectors are another user's, so geometry, coverage and parameters are the same and nothing is
true. Planted: the permuted vectors carry, in a tenth of their variance, a signal of a user's labels that no honest
feature could have; its worth is measured without a network, and what the network gains of it says what it would gain of
an honest one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from trackrec.ctr.features import SnapshotVectors, Vectors
from trackrec.ctr.samples import Samples, WindowRows
from trackrec.ctr.whitening import Floats
from trackrec.metrics.arrays import Labels, Scores
from trackrec.metrics.ranking import auc

PLANTED_WORTH = 0.010  # AUC on plain
PLANTED_SHARE = 0.1  # of the vector's variance
_STEPS = 30  # of bisection
_NEAREST = 1e-7  # to 0 and 1, as a float32 sigmoid can be either


def permuted(snapshots: SnapshotVectors, seed: int) -> SnapshotVectors:
    """Each user's snapshots get those of another user, drawn anew for each seed, the j-th the j-th or the last.

    No user keeps their own where there are two or more.
    """
    users, count = np.unique(snapshots.user, return_counts=True)
    order = np.argsort(snapshots.user, kind="stable")
    start = np.concatenate([[0], np.cumsum(count)[:-1]])
    place = np.random.default_rng(seed).permutation(len(users))
    other = np.empty_like(place)
    other[place] = np.roll(place, 1)  # one cycle through all users: nobody is mapped to themselves
    position = np.arange(len(order)) - np.repeat(start, count)
    partner = np.repeat(other, count)
    source = order[start[partner] + np.minimum(position, count[partner] - 1)]
    row = np.empty_like(order)
    row[order] = source
    vectors = {name: vector.taken(row) for name, vector in snapshots.vectors.items()}
    return replace(snapshots, vectors=vectors, version=None)


@dataclass(frozen=True)
class Signal:
    """A number a user, mean 0 and standard deviation 1, and the AUC that it adds to plain on the test rows."""

    of_user: npt.NDArray[np.float64]  # (users,)
    worth: float


def user_signal(
    samples: Samples,
    plain: Scores,
    rows: WindowRows,
    seed: int,
    worth: float = PLANTED_WORTH,
    carried: npt.NDArray[np.bool_] | None = None,
) -> Signal:
    """A noisy signal of how far each user's labels lie above ``plain``'s predictions, worth about ``worth`` on test.

    ``plain``: P(label = 1) of all samples, shape (samples,), read on ``rows``. Labels of all ``rows`` are in the
    signal, validation's too, since these decide when to stop: a signal that they lack looks like noise there, and is
    stopped too early. Noise is added until plain's logit plus the signal, with a weight fitted on training rows only,
    has a test AUC ``worth`` above plain's. Where even without noise it brings less, the worth says so. ``carried``:
    (samples,) rows that join a vector which carries the signal, None: all; in the others it is 0, as it cannot be read
    there.
    """
    carries = np.ones(len(samples.user)) if carried is None else carried.astype(np.float64)
    known = rows.all
    residual = samples.label[known] - plain[known]
    users = len(samples.users)
    total = np.bincount(samples.user[known], weights=residual, minlength=users)
    # Shrunk by ten rows of no surprise: else the users of one or two rows have the largest residuals.
    surprise = _standard(total / (np.bincount(samples.user[known], minlength=users) + 10))
    noise = np.random.default_rng(seed).standard_normal(users)
    low, high = 0.0, 1.0  # share of the surprise
    for _ in range(_STEPS):
        share = (low + high) / 2
        signal = _standard(share * surprise + (1 - share) * noise)
        low, high = (share, high) if _worth(signal, carries, samples, plain, rows) < worth else (low, share)
    signal = _standard(high * surprise + (1 - high) * noise)
    return Signal(signal, _worth(signal, carries, samples, plain, rows))


def planted(snapshots: SnapshotVectors, signal: Signal, column: str, seed: int) -> SnapshotVectors:
    """``snapshots`` permuted, then along a random direction of the vector ``column`` the ``signal`` of the own user."""
    carrier = permuted(snapshots, seed)
    vector = carrier.vectors[column]
    of_snapshot = np.append(signal.of_user, 0.0)[np.minimum(snapshots.user, len(signal.of_user))]
    changed = Vectors(_with_signal(vector, of_snapshot, seed), vector.present)
    return replace(carrier, vectors={**carrier.vectors, column: changed})


def _with_signal(vector: Vectors, signal: npt.NDArray[np.float64], seed: int) -> Floats:
    values = vector.values[vector.present].astype(np.float64)
    mean, variance = values.mean(axis=0), float(values.var(axis=0).sum())
    direction = np.random.default_rng(seed).standard_normal(values.shape[1])
    direction = direction / float(np.linalg.norm(direction))
    centred = np.sqrt(1 - PLANTED_SHARE) * (values - mean)
    # Standard over snapshots too: users with many of them are not the average user.
    added = np.sqrt(PLANTED_SHARE * variance) * _standard(signal[vector.present])[:, None] * direction
    changed = np.zeros_like(vector.values)
    changed[vector.present] = mean + centred + added
    return changed


def _standard(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.asarray((values - values.mean()) / max(float(values.std()), 1e-12))


def _worth(
    of_user: npt.NDArray[np.float64], carries: Scores, samples: Samples, plain: Scores, rows: WindowRows
) -> float:
    kept = np.clip(plain, _NEAREST, 1 - _NEAREST)
    logit = np.log(kept) - np.log1p(-kept)
    signal = carries * of_user[samples.user]
    weight = _fitted_weight(signal[rows.train], logit[rows.train], samples.label[rows.train])
    label = samples.label[rows.test]
    with_signal = logit[rows.test] + weight * signal[rows.test]
    return auc(label, with_signal) - auc(label, logit[rows.test])


def _fitted_weight(signal: npt.NDArray[np.float64], logit: Scores, label: Labels) -> float:
    """The maximum-likelihood weight of ``signal`` beside ``logit``, by Newton's steps."""
    weight = 0.0
    for _ in range(8):
        p = 1 / (1 + np.exp(-(logit + weight * signal)))
        weight += float(((label - p) * signal).sum() / max(float((p * (1 - p) * signal**2).sum()), 1e-9))
    return weight
