"""user_histories → reccots: G writes for every history that has no RecCoT of this generator version yet."""

from __future__ import annotations

from pyspark.sql import DataFrame

from trackrec.engines.spec import EngineSpec
from trackrec.histories.templates import template_of
from trackrec.models.resolve import resolve
from trackrec.reccots.sentences import served_text
from trackrec.runtime.events import Outcome
from trackrec.runtime.run import Run
from trackrec.stages.inputs import stored_histories
from trackrec.stages.texts import TextKind, write_texts
from trackrec.tables.schemas import RECCOT_TEXTS
from trackrec.tables.warehouse import Warehouse

_RECCOTS = TextKind(RECCOT_TEXTS, "RecCoTs", served_text)


def generate_reccots(run: Run, tables: Warehouse, snapshots: DataFrame | None = None) -> Outcome:
    """Generate what is pending, as ``write_texts`` does. A second run does nothing.

    ``snapshots``: user_id, as_of, where RecCoTs are not wanted for all.
    """
    settings = run.settings.generator
    template = template_of(run.settings.prompt, run.settings.histories)
    histories = stored_histories(run.settings, tables)
    if snapshots is not None:
        histories = histories.join(snapshots, ["user_id", "as_of"], "left_semi")
    with run.stage("generate") as stage:
        model = resolve(settings.model, run.settings.cache_dir())
        spec = EngineSpec.for_generator(settings, model, template.opening)
        write_texts(run, tables, stage, _RECCOTS, histories, spec)
    return stage.outcome
