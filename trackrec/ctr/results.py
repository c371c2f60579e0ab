"""What the CTR job measured, as data: a row an arm and seed, the predictions behind it, and the rows it was read on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypedDict

import numpy as np

from trackrec.ctr.roles import PLAIN
from trackrec.metrics.arrays import Ints, Labels, Scores, Users
from trackrec.metrics.probability import calibration_error, logloss
from trackrec.metrics.ranking import auc, uauc
from trackrec.runtime.errors import BadInputError
from trackrec.runtime.settings import CtrSettings


@dataclass(frozen=True, kw_only=True)
class GainRow:
    """One row of ``feature_gain``, without the columns that say who wrote it and when."""

    arm: str
    seed: int | None = None  # None: a floor
    feature_version: str | None = None
    backbone: str
    test_auc: float
    test_logloss: float
    validation_auc: float
    auc_gain: float | None = None
    train_rows: int
    test_rows: int
    coverage: float = 0.0
    test_uauc: float | None = None  # these four: None in rows of an earlier version
    test_uauc_unweighted: float | None = None
    test_ece: float | None = None
    planted_worth: float | None = None  # AUC that the planted signal adds to plain's own logit; of that arm only
    epoch: int | None = None  # that was kept, 1 = first; None: a floor. These two: None in rows of an earlier version
    settings: str | None = None  # settings_text


@dataclass(frozen=True, kw_only=True)
class SliceGain:
    """One row of ``gain_slices``, without the columns that say who wrote it and when.

    Figures are means over seeds, differences paired by seed, intervals of 95 % over users and seeds (``comparison``);
    NaN where ``reason`` says why. ``uauc`` counts each user once.
    """

    backbone: str
    arm: str
    slice: str
    rows: int
    users: int
    reference_auc: float
    arm_auc: float
    gain: float
    low: float
    high: float
    minimum_detectable: float
    uauc_gain: float
    uauc_low: float
    uauc_high: float
    logloss_change: float
    logloss_low: float
    logloss_high: float
    reason: str | None = None


class FiguresOnTest(TypedDict):
    """Columns of ``feature_gain`` that follow from predictions of the test rows."""

    test_auc: float
    test_logloss: float
    test_uauc: float
    test_uauc_unweighted: float
    test_ece: float


def figures_on_test(label: Labels, probability: Scores, user: Users) -> FiguresOnTest:
    """Columns of ``feature_gain`` that predictions of the test rows give: AUC, both UAUC, log-loss (nats) and ECE."""
    return {
        "test_auc": auc(label, probability),
        "test_logloss": logloss(label, probability),
        "test_uauc": uauc(label, probability, user),
        "test_uauc_unweighted": uauc(label, probability, user, weighted=False),
        "test_ece": calibration_error(label, probability),
    }


@dataclass(frozen=True)
class ArmResult:
    """An arm of one seed, fitted and read once on the test rows."""

    row: GainRow
    predicted: Scores  # (test rows,) P(label = 1)
    seconds: float  # of fitting


@dataclass(frozen=True)
class Sizes:
    """Rows of each window that were used, and how many were not as their label became known after the window."""

    train: int
    validation: int
    test: int
    test_users: int
    late: int  # of the train and validation window


@dataclass(frozen=True)
class Measurement:
    """All that one run of the CTR job measured."""

    settings: CtrSettings
    sizes: Sizes
    label: Labels  # (test rows,)
    user: Ints  # (test rows,) codes
    floors: tuple[GainRow, ...]
    arms: tuple[ArmResult, ...]  # seed by seed, plain first

    def rows_of(self, arm: str) -> list[GainRow]:
        """The rows of an arm, one a seed, or of a floor."""
        return [row for row in self.rows if row.arm == arm]

    @property
    def rows(self) -> list[GainRow]:
        """All rows of ``feature_gain``, the floors' first."""
        return [*self.floors, *(result.row for result in self.arms)]

    def predictions(self) -> dict[str, Scores]:
        """Predictions of each arm, plain first: (seeds, test rows), seeds in the order of plain's.

        BadInputError: an arm that lacks a seed of plain's, or has other rows.
        """
        by_arm: dict[str, dict[int | None, Scores]] = {PLAIN: {}}
        for result in self.arms:
            by_arm.setdefault(result.row.arm, {})[result.row.seed] = result.predicted
        for arm, of_seed in by_arm.items():
            shapes = {seed: predicted.shape for seed, predicted in of_seed.items()}
            if shapes != dict.fromkeys(by_arm[PLAIN], self.label.shape):
                raise BadInputError(
                    f"arm {arm} has test rows by seed {_rows(of_seed)}, plain {_rows(by_arm[PLAIN])}, and gains are "
                    "paired by row and seed.",
                    "Measure both on the same rows and seeds.",
                )
        return {arm: np.stack([of_seed[seed] for seed in by_arm[PLAIN]]) for arm, of_seed in by_arm.items()}


def _rows(of_seed: dict[int | None, Scores]) -> str:
    return ", ".join(f"{seed}: {len(predicted):,}" for seed, predicted in of_seed.items()) or "none"
