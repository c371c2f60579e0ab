"""samples, user_histories, reccot_vectors → feature_gain: what the features are worth to a CTR model; no Spark."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from trackrec.models.threads import use_threads
from trackrec.runtime.events import Outcome, Stage
from trackrec.runtime.run import Run
from trackrec.tables.lake import Lake

if TYPE_CHECKING:
    from trackrec.ctr.experiment import Experiment
    from trackrec.ctr.results import ArmResult, GainRow, Measurement


@dataclass(frozen=True, kw_only=True)
class GainOutcome(Outcome):
    """What the stage did, and all that it measured; ``report.gain`` makes a table of that."""

    measurement: Measurement


def train_ctr(run: Run, tables: Lake) -> GainOutcome:
    """Fit every arm and seed, read test once for each, and add to ``feature_gain`` after each seed.

    Emits a step an arm and seed: label arm; figures seed, validation AUC, epoch (that was kept) and seconds. The
    outcome counts rows (added) and late_labels (rows left out as their label became known after their window), and has
    the table gains: gain on plain (AUC) with its 95 % interval, by arm. Raises BadInputError before anything is trained
    or written where tables or settings do not allow a measurement.
    """
    settings = run.settings.ctr
    use_threads(settings.threads)  # before torch is imported
    from trackrec.ctr.experiment import measure_floors, read_experiment
    from trackrec.ctr.gain import paired_gains
    from trackrec.ctr.results import Measurement

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
        stage.tables["gains"] = {
            arm: {"gain": gain.mean, "low": gain.interval[0], "high": gain.interval[1]}
            for arm, gain in paired_gains(measurement).items()
        }
        stage.labels = {"run": run.run_id}
    return GainOutcome(**vars(stage.outcome), measurement=measurement)


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
