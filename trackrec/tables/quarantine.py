"""Rows that are set aside with a reason, and how many of them a table may have."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trackrec.runtime.errors import QualityGateError
from trackrec.runtime.settings import QualitySettings
from trackrec.tables.keys import key_of, key_of_values

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

_ROW_CHARS = 2000


def fault_rows(rows: DataFrame, source_table: str, *, reason: Column, row: Column) -> DataFrame:
    """Rows of ``quarantine`` without run_id and created_time; ``row`` is the row as JSON."""
    from pyspark.sql import functions as F

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


def gate_quarantine(quarantined: int, total: int, settings: QualitySettings, *, table: str) -> None:
    """Raise QualityGateError where more than ``max_quarantine_share`` of the rows of a table were set aside."""
    if total and quarantined / total > settings.max_quarantine_share:
        raise QualityGateError(
            f"table {table}: {quarantined:,} of {total:,} rows are faulty, more than quality.max_quarantine_share "
            f"{settings.max_quarantine_share:g}; nothing was published.",
            "Look at reason and row in the quarantine table, mend the source or raise the share.",
        )
