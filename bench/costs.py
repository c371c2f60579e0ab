"""What texts cost: tokens that were read and written, and the minutes that writing them took."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from trackrec.ctr.results import GainRow
from trackrec.ctr.roles import CONTROLS, ITEM_DESCRIPTION
from trackrec.tables.lake import Lake

_COLUMNS = ["row_key", "generator_version", "prompt_tokens", "output_tokens", "run_id", "created_time"]


@dataclass(frozen=True)
class Cost:
    """Of all texts behind one arm. ``minutes``: None where all were written in one chunk, which has one time only."""

    texts: int
    prompt_tokens: int
    output_tokens: int
    minutes: float | None


def costs_of(lake: Lake, rows: Mapping[str, Sequence[GainRow]]) -> dict[str, Cost]:
    """Cost by arm, of those arms of ``rows`` whose texts an LLM wrote into the tables of ``lake``."""
    costs = {}
    for arm, of_arm in rows.items():
        version = of_arm[0].feature_version if of_arm else None
        if version is None or arm in CONTROLS:
            continue
        texts = _descriptions(lake, version) if arm == ITEM_DESCRIPTION else _reccots(lake, version)
        if texts and any(row["output_tokens"] for row in texts):  # a teacher without a model has none
            costs[arm] = cost_of(texts)
    return costs


def _descriptions(lake: Lake, version: str) -> list[dict[str, Any]]:
    return [row for row in _rows(lake, "item_descriptions", _COLUMNS) if row["generator_version"] == version]


def _reccots(lake: Lake, version: str) -> list[dict[str, Any]]:
    published = _rows(lake, "reccot_vectors", ["row_key", "feature_version"])
    keys = {row["row_key"] for row in published if row["feature_version"] == version}
    return [row for row in _rows(lake, "reccots", _COLUMNS) if row["row_key"] in keys]


def cost_of(texts: Sequence[Mapping[str, Any]]) -> Cost:
    """``texts``: prompt_tokens, output_tokens, run_id, created_time (that of the chunk's commit) of each.

    How long the first chunk of a run took is not stored: it counts with the pace of the others.
    """
    seconds, timed = 0.0, 0
    for run in {row["run_id"] for row in texts}:
        times = sorted(row["created_time"] for row in texts if row["run_id"] == run)
        seconds += (times[-1] - times[0]).total_seconds()
        timed += sum(time > times[0] for time in times)
    read, written = (sum(row[name] or 0 for row in texts) for name in ("prompt_tokens", "output_tokens"))
    return Cost(len(texts), read, written, seconds / timed * len(texts) / 60 if timed else None)


def _rows(lake: Lake, table: str, columns: Sequence[str]) -> list[dict[str, Any]]:
    return list(lake.read_columns(table, columns).to_pylist()) if lake.exists(table) else []
