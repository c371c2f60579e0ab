"""Rows that are set aside with a reason."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from trackrec.identity import key_of

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
