"""Warehouses as the previous version (0.1.0 at commit 0b70a7c) left them, written anew from their rows.

``previous_version.json`` holds what its jobs wrote about the log of ``logs.py``, engines scripted: ``night``, two
nights of 2 users; ``feedback``, greedy RecCoTs and candidates of 4 users with V's judgements of them. Columns,
constraints and keys are those of that version. Vectors are left out there and unit vectors here: nothing reads their
numbers.
"""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

from pyspark.sql import SparkSession

ROWS = Path(__file__).with_suffix(".json")
_PROPERTIES = (
    "'delta.enableDeletionVectors'='false', 'delta.columnMapping.mode'='none', 'delta.checkpointPolicy'='classic'"
)
_VECTOR_SIZE = 384


def write_previous_warehouse(spark: SparkSession, part: str, warehouse: Path) -> None:
    """Create the tables of ``part`` (night or feedback) under ``warehouse``."""
    for name, table in json.loads(ROWS.read_text(encoding="utf-8"))[part].items():
        path = f"delta.`{warehouse / name}`"
        columns = ", ".join(f"{c} {kind}{'' if null else ' NOT NULL'}" for c, kind, null in table["columns"])
        checks = "".join(f", 'delta.constraints.{constraint}'=\"{check}\"" for constraint, check in table["checks"])
        spark.sql(f"CREATE TABLE {path} ({columns}) USING DELTA TBLPROPERTIES ({_PROPERTIES}{checks})")
        schema = ", ".join(f"{c} {kind}" for c, kind, _ in table["columns"])
        values = [tuple(_value(row.get(c), kind) for c, kind, _ in table["columns"]) for row in table["rows"]]
        spark.createDataFrame(values, schema).write.format("delta").mode("append").insertInto(path)


def _value(value: Any, kind: str) -> Any:
    if kind == "array<float>":
        return [1.0] + [0.0] * (_VECTOR_SIZE - 1)
    if kind == "timestamp" and value is not None:
        return datetime.fromisoformat(value)
    if kind.startswith("map"):
        return dict(value)
    return value
