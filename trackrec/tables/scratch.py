"""Scratch tables of runs that were killed: they hold prompts and user ids, and nobody reads them."""

from __future__ import annotations

from trackrec.runtime.places import quoted
from trackrec.tables.warehouse import SCRATCH, Warehouse


def drop_scratch(tables: Warehouse) -> int:
    """Drop them and return how many there were; under the lease, so that no run is at work."""
    tables.hold()
    names = [name for name in _names(tables) if name.startswith(SCRATCH)]
    for name in names:
        tables.drop(name)
    return len(names)


def _names(tables: Warehouse) -> list[str]:
    """Of all tables of the warehouse, trackrec's or not."""
    if not tables.is_path:
        rows = tables.spark.sql(f"SHOW TABLES IN {quoted(tables.root)}").collect()
        return [row["tableName"] for row in rows]
    path, files = tables.folder("")
    return [status.getPath().getName() for status in files.listStatus(path)] if files.exists(path) else []
