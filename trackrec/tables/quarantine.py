"""Rows that are set aside with a reason."""

from __future__ import annotations

from typing import Any

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from trackrec.tables.keys import key_of, key_of_values

_ROW_CHARS = 2000


def fault_rows(rows: DataFrame, source_table: str, *, reason: Column, row: Column) -> DataFrame:
    """Rows of ``quarantine`` without run_id and created_time; ``row`` is the row as JSON."""
    return rows.select(
        F.lit(source_table).alias("source_table"),
        reason.alias("reason"),
        F.col("user_id").cast("string"),
        row.alias("row"),
    ).select(
        key_of("source_table", "reason", "row").alias("fault_key"),
        "source_table",
        "reason",
        "user_id",
        F.left("row", F.lit(_ROW_CHARS)).alias("row"),
    )


def fault_row(source_table: str, *, reason: str, user_id: str, row: str) -> dict[str, Any]:
    """``fault_rows`` in Python, of one row."""
    return {
        "fault_key": key_of_values(source_table, reason, row),
        "source_table": source_table,
        "reason": reason,
        "user_id": user_id,
        "row": row[:_ROW_CHARS],
    }
