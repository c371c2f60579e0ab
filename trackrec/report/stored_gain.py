"""What ``feature_gain`` and ``gain_slices`` hold of the newest run of each backbone; nothing is trained again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any, TypeVar

from trackrec.ctr.floors import FLOOR, FLOORS
from trackrec.ctr.results import GainRow, SliceGain
from trackrec.ctr.roles import PLAIN
from trackrec.report.differences import differences
from trackrec.report.gain import GainFigures, by_arm, feature_version, number_of_seeds, wrapped
from trackrec.runtime.errors import BadInputError
from trackrec.tables.lake import Lake, Row

_STAMP = ("run_id", "created_time")
AnyRow = TypeVar("AnyRow", GainRow, SliceGain)


def stored_figures(lake: Lake, order: Sequence[str] = ()) -> list[GainFigures]:
    """Figures of the newest run of each backbone: backbones in ``order``, others behind these by name.

    Means, gains and intervals are those stored; a run of an earlier version has no intervals. Where the runs are not
    one, the headings say in what they differ. BadInputError: no table, no rows, or no run with plain and both floors.
    """
    rows = _rows(lake, "feature_gain", GainRow)
    slices = _rows(lake, "gain_slices", SliceGain) if lake.exists("gain_slices") else []
    # A run that was broken off has no intervals: one that has them stands above it, however old.
    ended = {(row["run_id"], row["backbone"]) for row in slices}
    newest: dict[str, Row] = {}
    for row in sorted(rows, key=lambda row: ((row["run_id"], row["backbone"]) in ended, row["created_time"])):
        if row["arm"] == PLAIN:
            newest[row["backbone"]] = row
    runs = {name: _of_run(newest[name], rows) for name in sorted(newest, key=lambda name: _place(name, order))}
    complete = {name: of_run for name, of_run in runs.items() if set(FLOORS) <= {row.arm for row in of_run}}
    if not complete:
        raise BadInputError("no run in table feature_gain has plain and its floors.", "Run jobs/train_ctr.py.")
    differs_in = differences(complete) if len({newest[name]["run_id"] for name in complete}) > 1 else {}
    return [_figures(newest[name], of_run, slices, differs_in.get(name, "")) for name, of_run in complete.items()]


def _place(backbone: str, order: Sequence[str]) -> tuple[int, str]:
    return (order.index(backbone) if backbone in order else len(order), backbone)


def _of_run(last: Row, rows: Sequence[Row]) -> list[GainRow]:
    """The rows of one run and backbone with its floors, seeds in their order."""
    of_run = [row for row in rows if row["run_id"] == last["run_id"] and row["backbone"] in (last["backbone"], FLOOR)]
    return [_of(GainRow, row) for row in sorted(of_run, key=lambda row: (row["seed"] is not None, row["seed"] or 0))]


def _figures(last: Row, rows: Sequence[GainRow], slices: Sequence[Row], differs_in: str) -> GainFigures:
    run = (last["run_id"], last["backbone"])
    parts = [_of(SliceGain, row) for row in slices if (row["run_id"], row["backbone"]) == run]
    return GainFigures(last["backbone"], _heading(last, rows, differs_in), by_arm(rows), parts, differs_in)


def _heading(last: Row, rows: Sequence[GainRow], differs_in: str) -> tuple[str, ...]:
    seeds = len({row.seed for row in rows if row.seed is not None})
    created: datetime = last["created_time"]
    lines = (
        f"{last['backbone']}, {number_of_seeds(seeds)}, features {feature_version(rows) or 'none'}",
        f"train {last['train_rows']:,} rows, test {last['test_rows']:,} rows; run {last['run_id']} of "
        f"{created:%Y-%m-%d %H:%M} UTC",
    )
    return (*lines, *wrapped(f"another run than the other backbones': {differs_in}")) if differs_in else lines


def _rows(lake: Lake, table: str, kind: type[AnyRow]) -> list[dict[str, Any]]:
    return list(lake.read_columns(table, [*_STAMP, *(field.name for field in fields(kind))]).to_pylist())


def _of(kind: type[AnyRow], row: Row) -> AnyRow:
    """A row as the job measured it: NULL is NaN where a figure may not be None."""
    numbers = {field.name for field in fields(kind) if field.type == "float"}
    values = {field.name: row[field.name] for field in fields(kind)}
    missing: dict[str, Any] = {name: float("nan") for name in numbers if values[name] is None}
    return kind(**values | missing)
