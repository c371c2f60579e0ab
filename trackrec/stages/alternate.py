"""The schedule of TrackRec (arXiv 2508.15388): G and V teach each other, round by round.

Round 0: G_0 is distilled from a teacher, or is the adapter that the settings name; V_0 is tuned on its RecCoTs.
Round t: V_{t-1} must have shown on the hold-out that it judges → candidates of G_{t-1} → judged by V_{t-1} → S-DPO →
G_t → its greedy RecCoTs → V_t, tuned on these and on G_0's, so that one V compares both. V_0 is tuned, unlike in the
paper: an untuned small V is near chance. With feedback.cross_fit V_t is a pair: one is tuned on each half of the users
and judges the other half.

Every step's outcome is written down when it is finished, and every step is idempotent: a loop that was killed goes on
at the step it was in, which writes only what it had not written yet.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from trackrec.feedback import gate
from trackrec.feedback.chosen import chosen_round
from trackrec.feedback.loop_data import loop_data
from trackrec.feedback.loop_state import LoopState, LoopStep, aligned_windows, open_loop
from trackrec.feedback.metrics import SHUFFLED
from trackrec.feedback.reader import check_reader
from trackrec.feedback.validator import validator_settings
from trackrec.feedback.verdicts import kept, nothing_kept
from trackrec.histories.templates import template_of
from trackrec.models.resolve import resolve
from trackrec.models.threads import use_threads
from trackrec.runtime.events import Outcome, Stage
from trackrec.runtime.run import Run
from trackrec.runtime.settings import Settings
from trackrec.stages.chosen import choose_generator
from trackrec.stages.forecast import forecast_loop
from trackrec.stages.given_generator import begins_distilled
from trackrec.stages.histories import build_histories
from trackrec.stages.inputs import item_catalogue, stored_histories
from trackrec.stages.round_steps import RoundSteps, candidate_settings
from trackrec.tables.warehouse import Warehouse
from trackrec.training.teachers.build import teacher_version


def alternate(run: Run, tables: Warehouse) -> Outcome:
    """Run ``loop.rounds`` rounds of the loop that these settings, this data and this teacher make.

    Histories are brought up to date first, at every start: they are part of what the loop is known by. Where V has not
    shown that it judges, the loop ends there (``loop.gate``). Counts the steps that ran and those that were finished
    before; labels: how many rounds aligned, the chosen G and the last V, as model.source takes them.
    """
    run = run.with_settings(aligned_windows(run.settings))
    check_reader(run.settings)
    with run.stage("loop") as stage:
        use_threads(run.settings.generator.threads)  # before torch is imported by what follows
        build_histories(run, tables)
        state = open_loop(run.settings, _identity(run.settings, tables))
        if not state.outcomes:  # of a loop that goes on it would count what is behind it too
            forecast_loop(run, tables)
        loop = _Loop(run, tables, stage, state)
        loop.begin()
        aligned = 0
        while aligned < run.settings.loop.rounds and loop.round(aligned + 1):
            aligned += 1
        stage.labels = {"aligned": f"{aligned} of {run.settings.loop.rounds} rounds"} | loop.end()
        run.counts.update({f"{step} seconds": outcome.seconds for step, outcome in state.outcomes.items()})
    return stage.outcome


class _Loop:
    """The steps of one loop, in order; each is taken from ``state`` or done and recorded there."""

    def __init__(self, run: Run, tables: Warehouse, stage: Stage, state: LoopState) -> None:
        self._run, self._tables, self._stage, self._state = run, tables, stage, state
        self._settings = run.settings
        self._steps = RoundSteps(run, tables)
        self._generators: list[str] = []  # G_0, G_1, …, as model.source takes them
        self._validators: tuple[str, ...] = ()  # V_t's, one a fold that is tuned on
        self._total = steps_of(self._settings)
        stage.counts = {"steps": 0, "finished before": 0}

    def begin(self) -> None:
        """G_0, V_0 and what the hold-out says of them."""
        self._generators.append(self._step("distill", 0, self._steps.first_generator).labels["source"])
        self._tune_and_measure(0)

    def round(self, number: int) -> bool:
        """Round ``number`` ≥ 1; False where it ends before G is aligned: V has not shown that it judges, or sees no
        difference between candidates."""
        judged = self._step("gate", number, lambda: self._gate(number))
        self._stage.notice(judged.labels["why"])
        if not judged.counts["passed"] and self._settings.loop.gate == "require":
            return self._ended(number)
        judging = self._run.with_settings(candidate_settings(self._settings, self._generators[-1], self._validators))
        self._step("candidates", number, lambda: self._steps.candidates(judging))
        validated = self._step("validate", number, lambda: self._steps.validate(judging))
        if not kept(validated.counts):
            self._stage.notice(f"Round {number}: {nothing_kept(validated.counts)}")
            return self._ended(number)
        aligned = self._step("align", number, lambda: self._steps.align(judging, number))
        self._generators.append(aligned.labels["source"])
        self._tune_and_measure(number)
        return True

    def _ended(self, number: int) -> bool:
        self._stage.notice(gate.closing(number, self._settings.loop.rounds))
        return False

    def end(self) -> dict[str, str]:
        """Mark the chosen G in ``model_versions``; returns it and the last V as model.source takes them."""
        source = choose_generator(self._tables, self._state, self._settings.cache_dir())
        names = ("validator.model.source", "validator.counterpart.source")
        return {"generator.model.source": source} | dict(zip(names, self._validators, strict=False))

    def _tune_and_measure(self, number: int) -> None:
        """V_t, tuned on the texts of all G that it is to compare, and their figures on the hold-out."""
        compared = {f"G_{n}": self._generators[n] for n in sorted({0, self._chosen_before(number), number})}
        generator, before = self._generators[number], self._validators
        self._step("greedy", number, lambda: self._steps.greedy(generator))
        if self._settings.tune.candidates:
            self._step("tuning_samples", number, lambda: self._steps.tuning_samples(generator))
        also = tuple(source for source in compared.values() if source != generator)
        tuned = []
        for fold, kind in enumerate(tuned_kinds(self._settings)):
            work = partial(self._steps.tune, generator, also, before, number, fold)
            tuned.append(self._step(kind, number, work).labels["source"])
        self._validators = tuple(tuned)
        self._step("measure", number, lambda: self._steps.measure(compared, self._validators))

    def _chosen_before(self, number: int) -> int:
        """The round that is chosen of those before round ``number``: a loop that goes on has measured later ones."""
        return chosen_round({n: outcome for n, outcome in self._state.of_kind("measure").items() if n < number})

    def _gate(self, number: int) -> Outcome:
        """What the hold-out says of the V that is to judge in round ``number``: passed, why, the table of bounds."""
        tables = self._state.of_kind("measure")[number - 1].tables
        bounds = gate.bounds_of(tables, f"G_{number - 1}")
        return Outcome(
            "gate",
            {"passed": int(gate.passed(bounds))},
            labels={"why": gate.sentence(bounds, number, tables["differences"].get(SHUFFLED))},
            tables={"bounds": {bound.name: {"value": bound.value, "low": bound.low} for bound in bounds}},
        )

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


def tuned_kinds(settings: Settings) -> tuple[str, ...]:
    """The kinds of the steps that tune V, one a fold: with feedback.cross_fit there are two V's."""
    return ("tune", "tune counterpart") if settings.feedback.cross_fit else ("tune",)


def steps_of(settings: Settings) -> int:
    """How many steps the loop has, without the histories."""
    of_v = len(tuned_kinds(settings)) + bool(settings.tune.candidates)
    return 3 + of_v + settings.loop.rounds * (6 + of_v)


def models_of(settings: Settings) -> dict[str, str]:
    """Versions of the weights that a loop begins with: generator, validator and, where one is named, counterpart."""
    named = validator_settings(settings)
    models = {"generator": settings.generator.model, "validator": named.model, "counterpart": named.counterpart}
    return {name: resolve(model, settings.cache_dir()).version for name, model in models.items() if model is not None}


def _identity(settings: Settings, tables: Warehouse) -> dict[str, str]:
    """What besides its settings decides the loop: its data, the boundaries, the weights it begins with, the teacher."""
    template = template_of(settings.prompt, settings.histories)
    histories, items = stored_histories(settings, tables), item_catalogue(settings, tables)
    data = loop_data(tables.read("samples"), histories, items, settings.feedback.holdout_share)
    data |= models_of(settings)
    distilled = begins_distilled(settings.generator.model.source, settings.loop.distill)
    return data | ({"teacher": teacher_version(settings.distill, template, settings.cache_dir())} if distilled else {})
