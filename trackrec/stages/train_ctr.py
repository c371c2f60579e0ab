"""samples, user_histories, reccot_vectors, item_vectors → feature_gain, gain_slices, feature_projections; no Spark."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from trackrec.models.threads import use_threads
from trackrec.runtime.events import FigureTable, Outcome, Stage
from trackrec.runtime.run import Run
from trackrec.tables.lake import Lake

if TYPE_CHECKING:
    from trackrec.ctr.experiment import Experiment
    from trackrec.ctr.results import ArmResult, GainRow, Measurement, SliceGain


@dataclass(frozen=True)
class Measured:
    """All that was measured with one backbone."""

    measurement: Measurement
    slices: tuple[SliceGain, ...]  # all test rows, parts of them, shares of the training rows


@dataclass(frozen=True, kw_only=True)
class GainOutcome(Outcome):
    """What the stage did, and all that it measured, a backbone each; ``report.gain`` makes tables of that."""

    measured: tuple[Measured, ...]


def train_ctr(run: Run, tables: Lake) -> GainOutcome:
    """Fit every backbone, arm and seed, read test once for each, and add to ``feature_gain`` after each seed; then the
    intervals, of all test rows and of parts of them, to ``gain_slices``. How vectors were whitened goes to
    ``feature_projections`` first.

    Emits a step a fit: labels arm, and the share of the training rows where it is a part; figures seed, validation AUC,
    epoch (that was kept) and seconds. The outcome counts rows (added) and late_labels (rows left out as their label
    became known after their window), and has a table gains for the first backbone and gains_<backbone> for each further
    one: gain on plain (AUC), its 95 % interval and the smallest gain that would have been seen, by arm. Raises
    BadInputError before anything is trained or written where tables or settings do not allow a measurement.
    """
    settings = run.settings.ctr
    use_threads(settings.threads)  # before torch is imported
    from trackrec.ctr.experiment import measure_floors, read_experiment

    with run.stage("train_ctr") as stage:
        experiment = read_experiment(settings, tables)
        floors = measure_floors(experiment)
        stage.counts = {"rows": _insert(run, tables, floors), "late_labels": experiment.sizes.late}
        _insert_projections(run, tables, experiment)
        for arm, features in experiment.arms.fixed_features().items():
            if features.omitted:
                stage.notice(f"{arm}: too few training snapshots have {', '.join(features.omitted)}, left out")
        backbones = list(dict.fromkeys((settings.backbone, *settings.further_backbones)))
        fits = _Fits(stage, _number_of_fits(experiment) * len(backbones))
        measured = []
        for backbone in backbones:
            measured.append(_measure(run, tables, stage, experiment.of_backbone(backbone), floors, fits))
            name = "gains" if backbone == settings.backbone else f"gains_{backbone}"
            stage.tables[name] = _gain_figures(measured[-1].slices)
        stage.labels = {"run": run.run_id}
    return GainOutcome(**vars(stage.outcome), measured=tuple(measured))


def _measure(
    run: Run, tables: Lake, stage: Stage, experiment: Experiment, floors: Sequence[GainRow], fits: _Fits
) -> Measured:
    """All arms and seeds of one backbone, and its learning curve; each is written as soon as it is there."""
    from trackrec.ctr.slices import measure_share, measure_slices, slice_masks
    from trackrec.ctr.verdicts import still_learning

    results: list[ArmResult] = []
    for of_seed in fits.by_seed(experiment):
        results += of_seed
        stage.counts["rows"] += _insert(run, tables, [result.row for result in of_seed])
    measurement = experiment.measurement(floors, results)
    masks = slice_masks(experiment.samples, experiment.rows)
    slices = measure_slices(measurement, masks)
    _insert_slices(run, tables, slices)
    tested = _of_learning_curve(experiment)
    for share in experiment.settings.learning_curve:
        of_share = [result for of_seed in fits.by_seed(tested, share) for result in of_seed]
        if words := still_learning([result.row for result in of_share]):
            stage.notice(f"trained on {100 * share:.0f} %: {words}")
        point = measure_share(tested.measurement((), of_share), share)
        _insert_slices(run, tables, point)
        slices += point
    return Measured(measurement, tuple(slices))


class _Fits:
    """Has networks fitted and says how many are."""

    def __init__(self, stage: Stage, total: int) -> None:
        self._stage, self._total, self._done = stage, total, 0

    def by_seed(self, experiment: Experiment, share: float = 1.0) -> Iterator[list[ArmResult]]:
        """All arms, seed by seed, fitted on this share of the training rows."""
        from trackrec.ctr.seeds import measure_seeds

        return measure_seeds(experiment, share, lambda result: self._report(result, share))

    def _report(self, result: ArmResult, share: float) -> None:
        self._done += 1
        figures = {"seed": float(result.row.seed or 0), "validation AUC": result.row.validation_auc}
        figures |= {"epoch": float(result.row.epoch or 0), "seconds": result.seconds}
        labels = {"backbone": result.row.backbone, "arm": result.row.arm}
        labels |= {"train": f"{100 * share:.0f} %"} if share < 1 else {}
        self._stage.step(self._done, self._total, figures, labels)


def _of_learning_curve(experiment: Experiment) -> Experiment:
    """What is under test, the item side, and other users' RecCoTs: of few rows any further inputs may do something."""
    from trackrec.ctr.roles import CONTROLS, PERMUTED, WITHOUT_ITEM_TEXT

    beside = (WITHOUT_ITEM_TEXT, PERMUTED)
    return experiment.of_arms(name for name in experiment.arms.names if name not in CONTROLS or name in beside)


def _number_of_fits(experiment: Experiment) -> int:
    of_curve = len(_of_learning_curve(experiment).arms.names) * len(experiment.settings.learning_curve)
    return (len(experiment.arms.names) + of_curve) * len(experiment.settings.seeds)


def _insert(run: Run, tables: Lake, rows: Sequence[GainRow]) -> int:
    stamp = run.stamp()
    return tables.insert_rows("feature_gain", [asdict(row) | stamp for row in rows])


def _insert_projections(run: Run, tables: Lake, experiment: Experiment) -> None:
    from trackrec.ctr.projections import projections_of

    rows = [asdict(row) | run.stamp() for row in projections_of(experiment)]
    if rows:
        tables.insert_rows("feature_projections", rows)


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
