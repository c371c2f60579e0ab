"""Users who ask to be forgotten: their rows go from every table, and no later run makes them again."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from trackrec.histories.forgotten import user_hash
from trackrec.histories.sources.reader import read_table
from trackrec.runtime.clock import utc_now
from trackrec.runtime.errors import BadInputError
from trackrec.runtime.events import Outcome
from trackrec.runtime.run import Run
from trackrec.runtime.settings import TableSource
from trackrec.tables.deletion import delete_users
from trackrec.tables.schemas import USERS
from trackrec.tables.scratch import drop_scratch
from trackrec.tables.stamp import stamped
from trackrec.tables.warehouse import Warehouse


def forget_users(run: Run, tables: Warehouse, users: DataFrame) -> Outcome:
    """Forget ``users``, as from ``users_of``: the tombstones first, so that a run that was killed is just run again.

    Counts users and rows, by table too. What remains: files of older table versions, until
    ``jobs/maintain.py``; models that learned from the users' rows; the team's own tables.
    """
    with run.stage("forget") as stage:
        with tables.materialised(users.where("user_id != ''").distinct()) as rows:
            stage.counts["users"] = rows.count()
            if not stage.counts["users"]:
                raise BadInputError("no user to forget is named.", "Give --user ID, or --table with a column user_id.")
            tombstones = rows.select(user_hash(F.col("user_id")).alias("user_hash"))
            tables.insert_new("forgotten_users", stamped(tombstones, run.stamp()))
            deleted = delete_users(tables, rows)
        stage.counts["rows"] = sum(deleted.values())
        stage.counts |= {f"rows of {table}": count for table, count in deleted.items() if count}
        drop_scratch(tables)
        gone = utc_now() + timedelta(days=run.settings.maintenance.retention_days)
        stage.notice(
            f"files of older table versions hold the rows until jobs/maintain.py runs after {gone:%Y-%m-%d %H:%M} UTC; "
            "Delta's logs keep ids among their statistics for delta.logRetentionDuration, 30 days unless set"
        )
    return stage.outcome


def users_of(tables: Warehouse, ids: Sequence[str], table: str | None) -> DataFrame:
    """The users (user_id) that a person names: ``ids``, and those of a Delta table, a path or a catalog name.

    Ids are read as those of the log are; raises BadInputError as ``read_table`` does.
    """
    named = tables.spark.createDataFrame([(user.strip(" \t\r\n"),) for user in ids], "user_id string")
    if table is not None:
        source = TableSource(format="delta", path=table)
        named = named.unionByName(read_table(tables.spark, source, USERS).select("user_id"))
    return named
