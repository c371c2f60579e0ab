"""samples, user_histories, reccot_vectors → feature_gain, gain_slices: what features are worth to a model; no Spark."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from trackrec.models.threads import use_threads
from trackrec.runtime.events import FigureTable, Outcome, Stage
from trackrec.runtime.run import Run
from trackrec.tables.lake import Lake

if TYPE_CHECKING:
    from trackrec.ctr.experiment import Experiment
    from trackrec.ctr.results import ArmResult, GainRow, Measurement, SliceGain


@dataclass(frozen=True, kw_only=True)
class GainOutcome(Outcome):
    """What the stage did, and all that it measured; ``report.gain`` makes a table of that."""

    measurement: Measurement
    slices: tuple[SliceGain, ...]  # all test rows, then parts of them


def train_ctr(run: Run, tables: Lake) -> GainOutcome:
    """Fit every arm and seed, read test once for each, and add to ``feature_gain`` after each seed; then the intervals,
    of all test rows and of parts of them, to ``gain_slices``.

    Emits a step an arm and seed: label arm; figures seed, validation AUC, epoch (that was kept) and seconds. The
    outcome counts rows (added) and late_labels (rows left out as their label became known after their window), and has
    the table gains: gain on plain (AUC), its 95 % interval and the smallest gain that would have been seen, by arm.
    Raises BadInputError before anything is trained or written where tables or settings do not allow a measurement.
    """
    settings = run.settings.ctr
    use_threads(settings.threads)  # before torch is imported
    from trackrec.ctr.experiment import measure_floors, read_experiment
    from trackrec.ctr.results import Measurement
    from trackrec.ctr.slices import measure_slices, slice_masks

    with run.stage("train_ctr") as stage:
        experiment = read_experiment(settings, tables)
        floors = measure_floors(experiment)
        stage.counts = {"rows": _insert(run, tables, floors), "late_labels": experiment.sizes.late}
        results: list[ArmResult] = []
        for seed in settings.seeds:
            of_seed = _measure_seed(stage, experiment, seed, len(results))
            results += of_seed
            stage.counts["rows"] += _insert(run, tables, [result.row for result in of_seed])
        measurement = Measurement(
            settings, experiment.sizes, experiment.test_label, experiment.test_user, tuple(floors), tuple(results)
        )
        masks = slice_masks(experiment.samples, experiment.train, experiment.test)
        slices = measure_slices(measurement, masks)
        _insert_slices(run, tables, slices)
        stage.tables["gains"] = _gain_figures(slices)
        stage.labels = {"run": run.run_id}
    return GainOutcome(**vars(stage.outcome), measurement=measurement, slices=tuple(slices))


def _measure_seed(stage: Stage, experiment: Experiment, seed: int, done: int) -> list[ArmResult]:
    from trackrec.ctr.experiment import measure_seed

    steps = len(experiment.arms.names) * len(experiment.settings.seeds)
    results = []
    for number, result in enumerate(measure_seed(experiment, seed), start=done + 1):
        figures = {
            "seed": seed,
            "validation AUC": result.row.validation_auc,
            "epoch": result.epoch,
            "seconds": result.seconds,
        }
        stage.step(number, steps, figures, {"arm": result.row.arm})
        results.append(result)
    return results


def _insert(run: Run, tables: Lake, rows: Sequence[GainRow]) -> int:
    stamp = run.stamp()
    return tables.insert_rows("feature_gain", [asdict(row) | stamp for row in rows])


def _insert_slices(run: Run, tables: Lake, slices: Sequence[SliceGain]) -> None:
    """A figure that is no number is NULL: SQL takes NaN for the largest of all."""
    stamp = run.stamp()
    rows = [{name: None if _is_nan(value) else value for name, value in asdict(row).items()} for row in slices]
    if rows:
        tables.insert_rows("gain_slices", [row | stamp for row in rows])


def _is_nan(value: object) -> bool:
    return isinstance(value, float) and math.isnan(value)


def _gain_figures(slices: Sequence[SliceGain]) -> FigureTable:
    from trackrec.ctr.gain import ALL

    return {
        row.arm: {"gain": row.gain, "low": row.low, "high": row.high, "minimum_detectable": row.minimum_detectable}
        for row in slices
        if row.slice == ALL
    }
