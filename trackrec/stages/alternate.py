"""The schedule of TrackRec (arXiv 2508.15388): G and V teach each other, round by round.

Round 0: G_0 is distilled from a teacher, V_0 tuned on its greedy RecCoTs. Round t: candidates of G_{t-1} → judged by
V_{t-1} → S-DPO → G_t → its greedy RecCoTs → V_t tuned from its base. V_0 is tuned, unlike in the paper: an untuned
small V is near chance.

Every step's outcome is written down when it is finished, and every step is idempotent: a loop that was killed goes on
at the step it was in, which writes only what it had not written yet.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

from pyspark.sql import Column
from pyspark.sql import functions as F

from trackrec.feedback.loop_data import alignment_snapshots, loop_data
from trackrec.feedback.loop_state import LoopState, LoopStep, aligned_windows, open_loop
from trackrec.feedback.user_split import is_validator_user
from trackrec.feedback.validator import validator_settings
from trackrec.feedback.writers import with_candidates, with_generator
from trackrec.histories.templates import template_of
from trackrec.models.threads import use_threads
from trackrec.reccots.feature_version import generator_of
from trackrec.runtime.events import Outcome, Stage
from trackrec.runtime.run import Run
from trackrec.runtime.settings import Settings
from trackrec.stages.forecast import forecast_loop
from trackrec.stages.generate import generate_reccots
from trackrec.stages.histories import build_histories
from trackrec.stages.inputs import holdout_of, item_catalogue, stored_histories
from trackrec.stages.measure import measure_round
from trackrec.stages.rec_tuning import build_rec_tuning
from trackrec.stages.validate import validate_reccots
from trackrec.tables.catalog import lake_of
from trackrec.tables.warehouse import Warehouse
from trackrec.training.teachers.build import teacher_version

_STEPS = (4, 6)  # of round 0 and of every later one, without the histories


def alternate(run: Run, tables: Warehouse) -> Outcome:
    """Run ``loop.rounds`` rounds of the loop that these settings, this data and this teacher make.

    Histories are brought up to date first, at every start: they are part of what the loop is known by. Counts the steps
    that ran and those that were finished before; the labels are the last G and V, as model.source takes them.
    """
    run = run.with_settings(aligned_windows(run.settings))
    with run.stage("loop") as stage:
        use_threads(run.settings.generator.threads)  # before torch is imported by what follows
        build_histories(run, tables)
        state = open_loop(run.settings, _identity(run.settings, tables))
        if not state.outcomes:  # of a loop that goes on it would count what is behind it too
            forecast_loop(run, tables)
        loop = _Loop(run, tables, stage, state)
        first, validator = loop.round_0()
        generator = first
        for number in range(1, run.settings.loop.rounds + 1):
            generator, validator = loop.round(number, first, generator, validator)
        stage.labels = {"generator.model.source": generator, "validator.model.source": validator}
        run.counts.update({f"{step} seconds": outcome.seconds for step, outcome in state.outcomes.items()})
    return stage.outcome


class _Loop:
    """The steps of one loop, in order; each is taken from ``state`` or done and recorded there."""

    def __init__(self, run: Run, tables: Warehouse, stage: Stage, state: LoopState) -> None:
        self._run, self._tables, self._stage, self._state = run, tables, stage, state
        self._settings = run.settings
        self._total = _STEPS[0] + run.settings.loop.rounds * _STEPS[1]
        stage.counts = {"steps": 0, "finished before": 0}

    def round_0(self) -> tuple[str, str]:
        """G_0 and V_0, as model.source takes them."""
        generator = self._step("distill", 0, self._distill).labels["source"]
        self._step("greedy", 0, lambda: self._greedy(generator))
        validator = self._step("tune", 0, lambda: self._tune(generator, 0)).labels["source"]
        self._step("measure", 0, lambda: self._measure({"G_0": generator}, validator))
        return generator, validator

    def round(self, number: int, first: str, generator: str, validator: str) -> tuple[str, str]:
        """G_t and V_t of round ``number`` ≥ 1 from those of the round before; ``first`` is G_0."""
        judging = self._run.with_settings(candidate_settings(self._settings, generator, validator))
        self._step("candidates", number, lambda: self._candidates(judging))
        self._step("validate", number, lambda: validate_reccots(judging, self._tables))
        aligned = self._step("align", number, lambda: self._align(judging, number)).labels["source"]
        self._step("greedy", number, lambda: self._greedy(aligned))
        tuned = self._step("tune", number, lambda: self._tune(aligned, number)).labels["source"]
        self._step("measure", number, lambda: self._measure({"G_0": first, f"G_{number}": aligned}, tuned))
        return aligned, tuned

    def _step(self, kind: str, number: int, work: Callable[[], Outcome]) -> Outcome:
        step = LoopStep(number, kind)
        self._stage.progress(sum(self._stage.counts.values()), self._total, "steps")
        if step in self._state.outcomes:
            self._stage.notice(f"{step} was finished before")
            self._stage.counts["finished before"] += 1
            return self._state.outcomes[step]
        self._stage.notice(str(step))
        started = time.monotonic()
        outcome = replace(work(), seconds=time.monotonic() - started)
        self._state.record(step, outcome)
        self._stage.counts["steps"] += 1
        return outcome

    def _distill(self) -> Outcome:
        from trackrec.stages.distill import distill_generator

        return distill_generator(self._run, lake_of(self._settings, self._run.name), number=0)

    def _align(self, judging: Run, number: int) -> Outcome:
        from trackrec.stages.align import align_generator

        return align_generator(judging, lake_of(self._settings, self._run.name), number=number)

    def _tune(self, generator: str, number: int) -> Outcome:
        """V from its base of the start, whichever G it is tuned for."""
        from trackrec.stages.tune import tune_validator

        settings = with_generator(self._settings, generator)
        run = self._run.with_settings(settings.model_copy(update={"validator": validator_settings(self._settings)}))
        build_rec_tuning(run, self._tables)
        return tune_validator(run, lake_of(self._settings, self._run.name), number=number)

    def _greedy(self, generator: str) -> Outcome:
        """What V is tuned and measured on: the histories of V's users, and those that the hold-out's events join."""
        events = holdout_of(self._settings, self._tables)
        measured = [row["prompt_key"] for row in events.select("prompt_key").distinct().collect()]
        only = self._is_validator_user() | F.col("prompt_key").isin(measured)
        settings = with_generator(self._settings, generator)
        outcome = self._generate(self._run.with_settings(settings), only)
        return replace(outcome, labels={**outcome.labels, **generator_of(settings)._asdict()})

    def _candidates(self, judging: Run) -> Outcome:
        return self._generate(judging, ~self._is_validator_user())

    def _generate(self, run: Run, only: Column) -> Outcome:
        """For the alignment window's histories only: a night's are not the loop's."""
        snapshots = alignment_snapshots(self._tables.read("samples"))
        return generate_reccots(run, self._tables, only=only, snapshots=snapshots)

    def _measure(self, generators: dict[str, str], validator: str) -> Outcome:
        settings = candidate_settings(self._settings, self._settings.generator.model.source, validator)
        by_name = {name: with_generator(self._settings, source) for name, source in generators.items()}
        return measure_round(self._run.with_settings(settings), self._tables, by_name)

    def _is_validator_user(self) -> Column:
        return is_validator_user(F.col("user_id"), self._settings.feedback.validator_share)


def candidate_settings(settings: Settings, generator: str, validator: str) -> Settings:
    """The settings in which G writes candidates, as ``with_candidates`` says, and V judges them."""
    chosen = validator_settings(settings)
    model = chosen.model.model_copy(update={"source": validator, "sha256": None})
    drawing = with_candidates(with_generator(settings, generator), settings.feedback.candidates)
    return drawing.model_copy(update={"validator": chosen.model_copy(update={"model": model})})


def _identity(settings: Settings, tables: Warehouse) -> dict[str, str]:
    """What besides its settings decides the loop: its data, the boundaries, the teacher's version."""
    template = template_of(settings.prompt, settings.histories)
    histories, items = stored_histories(settings, tables), item_catalogue(settings, tables)
    data = loop_data(tables.read("samples"), histories, items, settings.feedback.holdout_share)
    return data | {"teacher": teacher_version(settings.distill, template, settings.cache_dir())}
