"""What the CTR job measured, as data: a row an arm and seed, the predictions behind it, and the rows it was read on."""

from __future__ import annotations

from dataclasses import dataclass

from trackrec.metrics.arrays import Ints, Labels, Scores
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


@dataclass(frozen=True)
class ArmResult:
    """An arm of one seed, fitted and read once on the test rows."""

    row: GainRow
    predicted: Scores  # (test rows,) P(label = 1)
    epoch: int  # that was kept, 1 = first
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
        rows = [*self.floors, *(result.row for result in self.arms)]
        return [row for row in rows if row.arm == arm]
