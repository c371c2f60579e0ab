"""The rows of ``model_versions``: which G and V there are, where from, trained on what, how good."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trackrec.cli import utc_now
from trackrec.lake import Lake
from trackrec.ledger import Run
from trackrec.models import Model

ROLES = ("generator", "validator")


def register(
    run: Run,
    lake: Lake,
    role: str,
    model: Model,
    *,
    parent: str | None,
    data: Mapping[str, int],
    metrics: Mapping[str, float],
    number: int | None = None,
) -> int:
    """Insert the row of a version unless it is there; without ``number`` its round is the parent's + 1. Returns it."""
    number = round_of(lake, role, parent or "") + 1 if number is None else number
    row: dict[str, Any] = {
        "role": role,
        "version": model.version,
        "parent": parent,
        "round": number,
        "source": model.source,
        "data": dict(data),
        "metrics": dict(metrics),
        "run_id": run.run_id,
        "created_time": utc_now(),
    }
    lake.insert_rows("model_versions", [row])
    return number


def round_of(lake: Lake, role: str, version: str) -> int:
    """The round of a registered version, the newest where it has several; 0 for one that was never registered."""
    if not lake.exists("model_versions"):
        return 0
    rows = lake.read_columns("model_versions", ["role", "version", "round"]).to_pylist()
    return max((row["round"] for row in rows if (row["role"], row["version"]) == (role, version)), default=0)
