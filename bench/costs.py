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
    versions = {arm: of_arm[0].feature_version for arm, of_arm in rows.items() if of_arm and arm not in CONTROLS}
    descriptions, reccots = _rows(lake, "item_descriptions", _COLUMNS), _rows(lake, "reccots", _COLUMNS)
    published = _rows(lake, "reccot_vectors", ["row_key", "feature_version"])
    costs = {}
    for arm, version in versions.items():
        if arm == ITEM_DESCRIPTION:
            texts = [row for row in descriptions if row["generator_version"] == version]
        else:
            keys = {row["row_key"] for row in published if row["feature_version"] == version}
            texts = [row for row in reccots if row["row_key"] in keys]
        if texts and any(row["output_tokens"] for row in texts):  # a teacher without a model has none
            costs[arm] = cost_of(texts)
    return costs


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
