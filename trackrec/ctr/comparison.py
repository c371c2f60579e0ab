"""Predictions of an arm against another's on the same rows and seeds: differences and their intervals.

Two kinds of chance are combined. Which users the test has: whole users are drawn again, 1,000 times, and the
predictions averaged over the seeds are compared in each draw; u is the standard deviation of that. Which seeds were
drawn: s is the standard deviation of the difference over the n seeds. The standard error of the mean difference is
√(u² + s²/n), and its 95 % interval the mean ± 1.96 standard errors. With one seed s is unknown and counts as 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from trackrec.ctr.gain import TWO_SIDED_5, Gain
from trackrec.ctr.results import SliceGain
from trackrec.metrics.arrays import Labels, Scores, Users
from trackrec.metrics.bootstrap import Resamples, standard_error
from trackrec.metrics.probability import logloss
from trackrec.metrics.ranking import auc, uauc
from trackrec.runtime.errors import BadInputError


@dataclass(frozen=True)
class _Figure:
    """A figure of one arm: of each seed (seeds,), and of the seeds' mean prediction in each draw of users (draws,)."""

    by_seed: Scores
    draws: Scores


@dataclass(frozen=True)
class _Difference:
    """Of a figure of two arms: by seed, its mean over seeds, and the interval over users and seeds."""

    by_seed: tuple[float, ...]
    mean: float
    low: float
    high: float

    @classmethod
    def of(cls, own: _Figure, reference: _Figure) -> _Difference:
        """``own`` minus ``reference``, paired by seed and by draw."""
        by_seed = own.by_seed - reference.by_seed
        seeds = np.var(by_seed, ddof=1) / len(by_seed) if len(by_seed) > 1 else 0.0
        error = float(np.sqrt(standard_error(own.draws - reference.draws) ** 2 + seeds))
        mean = float(np.mean(by_seed))
        return cls(tuple(by_seed.tolist()), mean, mean - TWO_SIDED_5 * error, mean + TWO_SIDED_5 * error)


def compare(
    name: str, label: Labels, user: Users, reference: Scores, others: Mapping[str, Scores], backbone: str
) -> list[SliceGain]:
    """Each of ``others`` (arm → predictions) against ``reference`` on the rows of slice ``name``: a row each.

    Predictions are probabilities (seeds, rows), all of the same seeds in the same order. Rows that allow no figure give
    NaN and the reason. BadInputError where the shape of an arm is not the reference's.
    """
    for arm, predicted in others.items():
        if not predicted.shape == reference.shape == (len(reference), len(label)):
            raise BadInputError(
                f"slice {name}: arm {arm} has predictions {predicted.shape} (seeds, rows), its reference "
                f"{reference.shape}, for {len(label):,} labels.",
                "Measure both on the same rows and seeds.",
            )
    rows = _Rows(label, user)
    plain = rows.figures(reference)
    compared = []
    for arm, predicted in others.items():
        own = rows.figures(predicted)
        area, uauc_, loss = (_Difference.of(a, b) for a, b in zip(own, plain, strict=True))
        compared.append(
            SliceGain(
                backbone=backbone, arm=arm, slice=name, rows=len(label), users=len(np.unique(user)),
                reference_auc=float(plain[0].by_seed.mean()), arm_auc=float(own[0].by_seed.mean()),
                gain=area.mean, low=area.low, high=area.high,
                minimum_detectable=Gain(arm, area.by_seed, (area.low, area.high)).minimum_detectable,
                uauc_gain=uauc_.mean, uauc_low=uauc_.low, uauc_high=uauc_.high,
                logloss_change=loss.mean, logloss_low=loss.low, logloss_high=loss.high,
                reason=rows.reason,
            )
        )  # fmt: skip
    return compared


class _Rows:
    """Rows of a slice with the draws of their users."""

    def __init__(self, label: Labels, user: Users) -> None:
        self._label, self._user, self._draws = label, user, Resamples(label, user)

    def figures(self, predicted: Scores) -> tuple[_Figure, _Figure, _Figure]:
        """AUC, UAUC with each user once, and log-loss of predictions (seeds, rows)."""
        label, user, averaged = self._label, self._user, predicted.mean(axis=0)
        return (
            _Figure(np.array([auc(label, p) for p in predicted]), self._draws.auc(averaged)),
            _Figure(
                np.array([uauc(label, p, user, weighted=False) for p in predicted]),
                self._draws.uauc(averaged, weighted=False),
            ),
            _Figure(np.array([logloss(label, p) for p in predicted]), self._draws.logloss(averaged)),
        )

    @property
    def reason(self) -> str | None:
        """Why the rows have no AUC, or no interval; None where they have both."""
        if len(self._label) == 0:
            return "no rows"
        if len(np.unique(self._label)) < 2:
            return "one class only"
        return "one user only, no interval" if len(np.unique(self._user)) < 2 else None
