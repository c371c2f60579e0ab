"""The end of every training: its adapter as a row of ``model_versions``, and how to run with it."""

from __future__ import annotations

from trackrec.models.registry import TrainedVersion, register
from trackrec.runtime.events import Stage
from trackrec.runtime.run import Run
from trackrec.tables.lake import Lake


def record_version(
    run: Run,
    tables: Lake,
    stage: Stage,
    role: str,
    trained: TrainedVersion,
    number: int | None,
    setting: str | None = None,
) -> None:
    """Register the version (see ``registry.register``) and give ``stage`` its figures and labels.

    Labels: version, round, source (as model.source takes it); the ``setting`` that takes it, <role>.model unless said
    otherwise, is printed to be copied.
    """
    model, number = register(run, tables, role, trained, number)
    stage.figures = dict(trained.metrics)
    stage.labels = {"version": model.version, "round": str(number), "source": trained.source}
    stage.notice(f"--set {setting or f'{role}.model'}.source={trained.source}")
