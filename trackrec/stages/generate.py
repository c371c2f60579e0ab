"""user_histories → reccots: G writes for every history that has no RecCoT of this generator version yet."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from trackrec.engines.spec import EngineSpec
from trackrec.histories.templates import template_of
from trackrec.models.resolve import resolve
from trackrec.reccots.backlog import histories_of_night
from trackrec.reccots.feature_version import generator_of
from trackrec.reccots.features import written_by
from trackrec.reccots.requests import given_up
from trackrec.reccots.sentences import served_text
from trackrec.runtime.events import Outcome
from trackrec.runtime.run import Run
from trackrec.runtime.settings import Settings
from trackrec.stages.inputs import of_users, reccots_of, stored_histories
from trackrec.stages.texts import TextKind, write_texts
from trackrec.tables.schemas import RECCOT_TEXTS
from trackrec.tables.warehouse import Warehouse

RECCOTS = TextKind(RECCOT_TEXTS, "RecCoTs", served_text)


def generate_reccots(run: Run, tables: Warehouse, snapshots: DataFrame | None = None) -> Outcome:
    """Generate what is pending, as ``write_texts`` does. A second run does nothing.

    ``snapshots``: user_id, as_of, where RecCoTs are not wanted for all; without, a night asks for its own.
    """
    with run.stage("generate") as stage:
        spec = generator_spec(run.settings)
        if snapshots is None:
            histories = wanted_histories(run.settings, tables)
        else:
            histories = stored_histories(run.settings, tables).join(snapshots, ["user_id", "as_of"], "left_semi")
        write_texts(run, tables, stage, RECCOTS, histories, spec)
        left = _left_out(run.settings, tables) if snapshots is None else 0
        if left:
            stage.notice(f"{left:,} histories of nights before have no RecCoT of this G; --backfill asks for them")
    return stage.outcome


def generator_spec(settings: Settings) -> EngineSpec:
    """The engine of G that the settings name; fetches weights once, BadInputError where they cannot be had."""
    model = resolve(settings.generator.model, settings.cache_dir())
    opening = template_of(settings.prompt, settings.histories).opening
    return EngineSpec.for_generator(settings.generator, model, opening)


def wanted_histories(settings: Settings, tables: Warehouse) -> DataFrame:
    """The stored histories that a run asks G about: under nightly, unless backfilled, its own and the backlog."""
    histories = of_users(settings, stored_histories(settings, tables))
    night = settings.histories.only_night
    if night is None or settings.generator.backfill:
        return histories
    return histories_of_night(histories, tables.read_or_empty("reccots"), night)


def _left_out(settings: Settings, tables: Warehouse) -> int:
    """How many stored histories of nights before have no RecCoT of the settings' G and are not asked for."""
    night = settings.histories.only_night
    if night is None or settings.generator.backfill:
        return 0
    before = of_users(settings, stored_histories(settings, tables)).where(F.col("as_of") < F.lit(night))
    wanted = wanted_histories(settings, tables).select("user_id", "as_of")
    before = before.join(wanted, ["user_id", "as_of"], "left_anti")
    lacking = before.join(reccots_of(settings, tables).select("prompt_key"), "prompt_key", "left_anti")
    staged = written_by(tables.read("reccot_staging"), *generator_of(settings))
    faults = given_up(staged, max_attempts=settings.generator.max_attempts)
    return lacking.join(faults.select("prompt_key"), "prompt_key", "left_anti").count()
