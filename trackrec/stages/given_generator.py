"""model_versions: the G that the settings name, as the one that a loop begins with."""

from __future__ import annotations

from trackrec.models.registry import TrainedVersion
from trackrec.models.resolve import base_model, resolve
from trackrec.runtime.events import Outcome
from trackrec.runtime.run import Run
from trackrec.stages.new_version import record_version
from trackrec.tables.lake import Lake


def register_generator(run: Run, tables: Lake) -> Outcome:
    """Register ``generator.model`` as the G of round 0: nothing is distilled. Its parent is the base of its adapter.

    Raises BadInputError for a model that cannot be had.
    """
    with run.stage("generator") as stage:
        model = resolve(run.settings.generator.model, run.settings.cache_dir())
        parent = base_model(model).version if model.adapter else None
        record_version(run, tables, stage, "generator", TrainedVersion(model.source, parent, {}, {}), 0)
    return stage.outcome


def begins_distilled(source: str, distill: str) -> bool:
    """Whether a loop distills its G_0 from a teacher, by generator.model.source and ``loop.distill``.

    ``auto``: unless the source is an adapter, which has been distilled or aligned before.
    """
    return distill == "always" or (distill == "auto" and not source.startswith("adapter:"))
