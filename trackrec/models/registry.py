"""The rows of ``model_versions``: which G and V there are, where from, trained on what, how good."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from trackrec.models.resolve import Model, resolve_model
from trackrec.runtime.run import Run
from trackrec.tables.lake import Lake


@dataclass(frozen=True)
class TrainedVersion:
    """What a training left behind, before it is registered.

    ``source``: the weights, as ``model.source`` takes them; ``parent``: the version that training started from, None
    for a base model;
    ``data_versions``: table name to the version of it that was trained on; ``metrics``: figures of the training.
    """

    source: str
    parent: str | None
    data_versions: dict[str, int]
    metrics: dict[str, float]


def register(
    run: Run, tables: Lake, role: str, trained: TrainedVersion, number: int | None = None
) -> tuple[Model, int]:
    """Insert the row of a version unless it is there; without ``number`` its round is the parent's + 1.

    ``role``: generator or validator. Returns the version and its round.
    Raises BadInputError where the weights cannot be had, or ``model_versions`` not be written.
    """
    model = resolve_model(trained.source, run.settings.cache_dir())
    if number is None:
        number = 0 if trained.parent is None else round_of(tables, role, trained.parent) + 1
    row: dict[str, Any] = {
        "role": role,
        "version": model.version,
        "parent": trained.parent,
        "round": number,
        "source": model.source,
        "data": trained.data_versions,
        "metrics": trained.metrics,
        "chosen": None,
        **run.stamp(),
    }
    tables.insert_rows("model_versions", [row])
    return model, number


def round_of(tables: Lake, role: str, version: str) -> int:
    """The round of a registered version, the newest where it has several; 0 for one that was never registered."""
    if not tables.exists("model_versions"):
        return 0
    rows = tables.read_columns("model_versions", ["role", "version", "round"]).to_pylist()
    return max((row["round"] for row in rows if (row["role"], row["version"]) == (role, version)), default=0)
