"""The schedule of TrackRec (arXiv 2508.15388): G and V teach each other, round by round.

Round 0: G_0 is distilled from a teacher, or is the adapter that the settings name; V_0 is tuned on its RecCoTs. Round t:
V_{t-1} must have shown on the hold-out that it judges → candidates of G_{t-1} → judged by V_{t-1} → S-DPO → G_t → its
greedy RecCoTs → V_t. V_0 is tuned, unlike in the paper: an untuned small V is near chance. With feedback.cross_fit a V
is a pair, one tuned on each half of the users, and judges the other half.

Every step's outcome is written down when it is finished, and every step is idempotent: a loop that was killed goes on
at the step it was in, which writes only what it had not written yet.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

from trackrec.feedback import gate
from trackrec.feedback.chosen import chosen_round
from trackrec.feedback.loop_data import loop_data
from trackrec.feedback.loop_state import LoopState, LoopStep, aligned_windows, open_loop
from trackrec.histories.templates import template_of
from trackrec.models.resolve import resolve, resolve_model
from trackrec.models.threads import use_threads
from trackrec.runtime.events import Outcome, Stage
from trackrec.runtime.run import Run
from trackrec.runtime.settings import Settings
from trackrec.stages.chosen import mark_chosen
from trackrec.stages.forecast import forecast_loop
from trackrec.stages.given_generator import begins_distilled
from trackrec.stages.histories import build_histories
from trackrec.stages.inputs import item_catalogue, stored_histories
from trackrec.stages.round_steps import RoundSteps
from trackrec.tables.warehouse import Warehouse
from trackrec.training.teachers.build import teacher_version


def alternate(run: Run, tables: Warehouse) -> Outcome:
    """Run ``loop.rounds`` rounds of the loop that these settings, this data and this teacher make.

    Histories are brought up to date first, at every start: they are part of what the loop is known by. Where V has not
    shown that it judges, the loop ends there (``loop.gate``). Counts the steps that ran and those that were finished
    before; labels: how many rounds aligned, the chosen G and the last V, as model.source takes them.
    """
    run = run.with_settings(aligned_windows(run.settings))
    with run.stage("loop") as stage:
        use_threads(run.settings.generator.threads)  # before torch is imported by what follows
        build_histories(run, tables)
        state = open_loop(run.settings, _identity(run.settings, tables))
        if not state.outcomes:  # of a loop that goes on it would count what is behind it too
            forecast_loop(run, tables)
        loop = _Loop(RoundSteps(run, tables), stage, state, run.settings)
        loop.begin()
        rounds = run.settings.loop.rounds
        aligned = sum(1 for number in _until_false(range(1, rounds + 1), loop.round))
        stage.labels = {"aligned": f"{aligned} of {rounds} rounds"} | loop.sources()
        mark_chosen(tables, state.name, *_chosen_version(run.settings, loop))
        run.counts.update({f"{step} seconds": outcome.seconds for step, outcome in state.outcomes.items()})
    return stage.outcome
