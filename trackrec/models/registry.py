"""The rows of ``model_versions``: which G and V there are, where from, trained on what, how good."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from trackrec.models.resolve import Model, resolve_model
from trackrec.runtime.clock import utc_now
from trackrec.runtime.ledger import Run
from trackrec.tables.lake import Lake


@dataclass(frozen=True)
class Made:
    """What a training made: the version as ``model.source`` takes it, its parent's version, table versions, figures."""

    source: str
    parent: str
    data: dict[str, int]
    metrics: dict[str, float]


def register(
    run: Run,
    lake: Lake,
    role: str,
    made: Made,
    number: int | None = None,
) -> tuple[Model, int]:
    """Insert the row of a version unless it is there; without ``number`` its round is the parent's + 1.

    ``role``: generator or validator. Returns the version and its round.
    """
    model = resolve_model(made.source, run.settings.cache_dir())
    number = round_of(lake, role, made.parent) + 1 if number is None else number
    row: dict[str, Any] = {
        "role": role,
        "version": model.version,
        "parent": made.parent,
        "round": number,
        "source": model.source,
        "data": made.data,
        "metrics": made.metrics,
        "run_id": run.run_id,
        "created_time": utc_now(),
    }
    lake.insert_rows("model_versions", [row])
    run.counts |= made.metrics
    return model, number


def round_of(lake: Lake, role: str, version: str) -> int:
    """The round of a registered version, the newest where it has several; 0 for one that was never registered."""
    if not lake.exists("model_versions"):
        return 0
    rows = lake.read_columns("model_versions", ["role", "version", "round"]).to_pylist()
    return max((row["round"] for row in rows if (row["role"], row["version"]) == (role, version)), default=0)
