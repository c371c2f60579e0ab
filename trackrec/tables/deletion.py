"""Rows of users who are to be forgotten."""

from __future__ import annotations

from delta.tables import DeltaTable
from pyspark.sql import DataFrame

from trackrec.tables.schemas import TABLES
from trackrec.tables.warehouse import Warehouse


def delete_users(tables: Warehouse, users: DataFrame) -> dict[str, int]:
    """Delete every row of ``users`` (user_id) from every table that has one; returns rows deleted by table.

    ``users`` must not change when they are read again. Files of older table versions keep the rows until VACUUM.
    """
    tables.hold()
    deleted = {}
    for table in TABLES.values():
        if table.external or "user_id" not in table.column_names or not tables.exists(table.name):
            continue
        # Not through read(): a table that cannot be brought up to its schema still loses the user's rows.
        stored = DeltaTable.forName(tables.spark, tables.identifier(table.name))
        deleted[table.name] = stored.toDF().join(users, "user_id", "left_semi").count()
        if deleted[table.name]:
            merge = stored.alias("old").merge(users.distinct().alias("new"), "old.user_id = new.user_id")
            merge.whenMatchedDelete().execute()
    return deleted
