"""A warehouse of Delta tables, by path or by catalog name, and the few ways trackrec writes to them.

Every write is idempotent: an insert-only or updating MERGE by the table's key (schemas.py) from rows that do not
change when they are read twice. A plain append is used only where rows are paid for before they can be merged.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from delta.tables import DeltaTable
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from trackrec.contract import STAMP, Table, check_columns
from trackrec.errors import BadInputError
from trackrec.schemas import TABLES

# deltalake (delta-rs) refuses tables with these, and consumers read ours with it.
_PLAIN = "'delta.enableDeletionVectors'='false', 'delta.columnMapping.mode'='none', 'delta.checkpointPolicy'='classic'"


class Warehouse:
    """The tables of one environment under ``root``: a folder or URI, or ``catalog.schema``."""

    def __init__(self, spark: SparkSession, root: str) -> None:
        self.spark = spark
        self.is_path = "/" in root or root.startswith(".")
        self.root = root if not self.is_path or re.match(r"\w+:/", root) else str(Path(root).resolve())

    def identifier(self, name: str) -> str:
        """How SQL calls the table: delta.`<path>` or <catalog>.<schema>.<name>."""
        return f"delta.`{self.root}/{name}`" if self.is_path else f"{self.root}.{name}"

    def exists(self, name: str) -> bool:
        """Whether the table was created."""
        if self.is_path:
            return DeltaTable.isDeltaTable(self.spark, f"{self.root}/{name}")
        return self.spark.catalog.tableExists(self.identifier(name))

    def create(self, name: str) -> None:
        """Create the table with comments, NOT NULL and CHECK constraints as schemas.py has it, unless it is there."""
        if self.exists(name):
            return
        table = TABLES[name]
        identifier = self.identifier(name)
        comment = table.comment.replace("'", "\\'")
        self.spark.sql(
            f"CREATE TABLE IF NOT EXISTS {identifier} (\n{table.ddl_columns()}\n) USING DELTA "
            f"COMMENT '{comment}' TBLPROPERTIES ({_PLAIN})"
        )
        for constraint, check in table.checks:
            self.spark.sql(f"ALTER TABLE {identifier} ADD CONSTRAINT {constraint} CHECK ({check})")

    def read(self, name: str) -> DataFrame:
        """The table as it is now; BadInputError names a missing table and the job that writes it."""
        if not self.exists(name):
            raise BadInputError(
                f"table {name} does not exist in {self.root}.", f"Run {TABLES[name].writer} first, or set warehouse."
            )
        return self.spark.table(self.identifier(name))

    def read_or_empty(self, name: str) -> DataFrame:
        """The table, or no rows of its schema where it was never written."""
        if self.exists(name):
            return self.read(name)
        return self.spark.createDataFrame([], TABLES[name].spark_schema())

    def append(self, name: str, rows: DataFrame) -> None:
        """Append rows that were paid for. ``rows`` may be lazy and is evaluated once; it must not read this table."""
        self._conform(name, rows).write.format("delta").mode("append").insertInto(self.identifier(name))

    def insert_new(self, name: str, rows: DataFrame) -> int:
        """Insert the rows whose key is not in the table yet; rows that are there stay untouched.

        Returns the number inserted. ``rows`` must give the same rows each time it is read: a stored table or Spark
        expressions, never a Python UDF.
        """
        return self._merge(name, rows, update_changed=False)

    def upsert(self, name: str, rows: DataFrame) -> int:
        """As ``insert_new``, and update rows that differ (run_id and created_time aside). Returns rows written."""
        return self._merge(name, rows, update_changed=True)

    @contextmanager
    def materialised(self, rows: DataFrame) -> Iterator[DataFrame]:
        """Evaluate ``rows`` once into a scratch Delta table, to be read any number of times in the block."""
        name = f"_scratch_{uuid.uuid4().hex}"
        identifier = self.identifier(name)
        rows.writeTo(identifier).using("delta").create()
        try:
            yield self.spark.table(identifier)
        finally:
            self._drop(name)

    def delete_user(self, user_id: str) -> dict[str, int]:
        """Delete every row of a user from every table that has a user_id; returns rows deleted by table.

        Files of older table versions keep them until VACUUM.
        """
        deleted = {}
        for table in TABLES.values():
            if table.external or "user_id" not in table.column_names or not self.exists(table.name):
                continue
            theirs = F.col("user_id") == user_id
            deleted[table.name] = self.read(table.name).where(theirs).count()
            if deleted[table.name]:
                DeltaTable.forName(self.spark, self.identifier(table.name)).delete(theirs)
        return deleted

    def record_run(
        self,
        job: str,
        *,
        run_id: str,
        status: str,
        counts: Mapping[str, float],
        config_hash: str,
        started: datetime,
        now: datetime,
    ) -> None:
        """Write one row of the run ledger."""
        row = (run_id, job, status, {k: float(v) for k, v in counts.items()}, config_hash, started, now)
        self.insert_new("runs", self.spark.createDataFrame([row], TABLES["runs"].spark_schema()))

    def _merge(self, name: str, rows: DataFrame, *, update_changed: bool) -> int:
        table = TABLES[name]
        self.create(name)
        kept = [c for c in table.column_names if c not in (*table.key, *STAMP)]
        # Two source rows of one key would both be inserted.
        source = self._conform(name, rows).dropDuplicates(list(table.key))
        source = self._not_stored(source, name, [*table.key, *kept] if update_changed else list(table.key))
        # A MERGE that changes nothing costs 5 s here and commits a version; the look costs 1 s.
        if source.isEmpty():
            return 0
        same_key = " AND ".join(f"old.{k} <=> new.{k}" for k in table.key)
        merge = DeltaTable.forName(self.spark, self.identifier(name)).alias("old").merge(source.alias("new"), same_key)
        if update_changed:
            merge = merge.whenMatchedUpdateAll(" OR ".join(f"NOT (old.{c} <=> new.{c})" for c in kept))
        return _affected(merge.whenNotMatchedInsertAll().execute())

    def _not_stored(self, source: DataFrame, name: str, columns: list[str]) -> DataFrame:
        """The rows of ``source`` that no stored row equals in ``columns``."""
        stored = self.read(name).alias("stored")
        same = [F.col(f"source.{c}").eqNullSafe(F.col(f"stored.{c}")) for c in columns]
        return source.alias("source").join(stored, same, "left_anti")

    def _conform(self, name: str, rows: DataFrame) -> DataFrame:
        table: Table = TABLES[name]
        check_columns(table, rows.dtypes, where="rows to be written")
        return rows.select(*table.column_names)

    def _drop(self, name: str) -> None:
        if not self.is_path:
            self.spark.sql(f"DROP TABLE IF EXISTS {self.identifier(name)}")
            return
        jvm = self.spark.sparkContext._jvm
        assert jvm is not None
        path = jvm.org.apache.hadoop.fs.Path(f"{self.root}/{name}")
        path.getFileSystem(self.spark.sparkContext._jsc.hadoopConfiguration()).delete(path, True)


def _affected(metrics: DataFrame) -> int:
    row = metrics.first()
    return int(row["num_affected_rows"]) if row is not None else 0


def key_of(*columns: Column | str) -> Column:
    """sha256 (hex) over columns, as a Spark expression; each is hashed first, so that no separator can be forged."""
    parts = [F.sha2((F.col(c) if isinstance(c, str) else c).cast("string"), 256) for c in columns]
    return F.sha2(F.concat(*parts), 256)
