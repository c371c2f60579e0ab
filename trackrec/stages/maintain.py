"""Upkeep of a warehouse: staged rows that were merged, small files, and files of older versions."""

from __future__ import annotations

from delta.tables import DeltaTable
from pyspark.sql import functions as F

from trackrec.runtime.events import Outcome
from trackrec.runtime.run import Run
from trackrec.tables.schemas import DESCRIPTION_TEXTS, RECCOT_TEXTS, TABLES, GeneratedTables
from trackrec.tables.warehouse import Warehouse


def maintain(run: Run, tables: Warehouse) -> Outcome:
    """Prune, compact and VACUUM; counts staged rows, and files before and after compaction.

    What staging says of faults stays: by it a row that was given up is asked for no more.
    """
    hours = 24 * run.settings.maintenance.retention_days
    with run.stage("maintain") as stage:
        stage.counts["staged rows"] = sum(_prune(tables, kind) for kind in (RECCOT_TEXTS, DESCRIPTION_TEXTS))
        names = [table.name for table in TABLES.values() if not table.external and tables.exists(table.name)]
        stage.counts |= {"files before": 0, "files": 0}
        for done, name in enumerate(names):
            stage.progress(done, len(names), "tables")
            stored = DeltaTable.forName(tables.spark, tables.identifier(name))
            stage.counts["files before"] += _files(stored)
            stored.optimize().executeCompaction()
            stage.counts["files"] += _files(stored)
            stored.vacuum(hours)
    return stage.outcome


def _prune(tables: Warehouse, kind: GeneratedTables) -> int:
    """Delete the staged rows whose text is in its table; returns how many."""
    staging, texts = kind.staging.name, kind.texts.name
    if not (tables.exists(staging) and tables.exists(texts)):
        return 0
    return tables.delete_matching(staging, tables.read(texts).select("row_key"), "old.row_key = new.row_key")


def _files(stored: DeltaTable) -> int:
    row = stored.detail().select(F.col("numFiles")).first()
    assert row is not None
    return int(row[0])
