"""A warehouse of Delta tables, by path or by catalog name, and the few ways trackrec writes to them.

Every write is idempotent: a MERGE by the table's key (schemas/) from rows that do not change when they are read twice.
A plain append is used only where rows are paid for before they can be merged. Before a table of an earlier version is
read or written, it gets the columns that it lacks (migration.py).
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from delta.tables import DeltaTable
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from trackrec.runtime.errors import BadInputError
from trackrec.runtime.places import is_path, quoted
from trackrec.runtime.session import is_local
from trackrec.tables.contract import STAMP, Table, check_columns
from trackrec.tables.ddl import check_schema, create_at_path, create_in_schema, migrate_table
from trackrec.tables.schemas import LEASES, TABLES
from trackrec.tables.spark_errors import naming

if TYPE_CHECKING:
    from trackrec.tables.lease import Lease

SCRATCH = "_scratch_"  # how the names of scratch tables begin


class Warehouse:
    """The tables of one environment under ``root``: a folder or URI, or ``catalog.schema``.

    A folder is made by the first write. A schema must be there, as who makes one also decides who may read it:
    BadInputError where it is not, or where ``root`` is neither.
    """

    def __init__(self, spark: SparkSession, root: str) -> None:
        self.spark = spark
        self.is_path = is_path(root)
        self.root = str(Path(root).resolve()) if self.is_path and not re.match(r"\w+:/", root) else root
        self.scratch_tables = not is_local(spark)  # where ``materialised`` rows go
        self.lease: Lease | None = None  # held before each write, where a job gives one
        self._current: set[str] = set()  # tables that are known to have all that their schema has
        if not self.is_path:
            check_schema(spark, root)

    def identifier(self, name: str) -> str:
        """How SQL calls the table: delta.`<path>` or `<catalog>`.`<schema>`.`<name>`."""
        return f"delta.`{self.root}/{name}`" if self.is_path else quoted(f"{self.root}.{name}")

    def location(self, name: str) -> str:
        """Where the table's files lie, a path or URI. BadInputError names a missing table."""
        self._require(name)
        if self.is_path:
            return f"{self.root}/{name}"
        detail = self.spark.sql(f"DESCRIBE DETAIL {self.identifier(name)}").first()
        assert detail is not None
        return str(detail["location"])

    def exists(self, name: str) -> bool:
        """Whether the table was created. Raises BadInputError that names it where its log is damaged."""
        with naming(f"table {name} ({self.root})"):
            if self.is_path:
                return DeltaTable.isDeltaTable(self.spark, f"{self.root}/{name}")
            return self.spark.catalog.tableExists(self.identifier(name))

    def create(self, name: str) -> None:
        """Create the table as schemas/ has it, unless it is there; one of an earlier version gets what it lacks.

        Raises BadInputError where a stored table differs from its schema in what cannot be added.
        """
        self.hold(name)
        if self.exists(name):
            self._migrate(name)
            return
        if self.is_path:
            create_at_path(self.spark, f"{self.root}/{name}", TABLES[name])
        else:
            create_in_schema(self.spark, self.root, TABLES[name])
        self._current.add(name)

    def read(self, name: str) -> DataFrame:
        """The table as it is now, in the schema's columns; a new nullable column of an older table is NULL.

        BadInputError names a missing table and the job that writes it, or what differs from the schema.
        """
        self._require(name)
        self._migrate(name)
        return self.spark.table(self.identifier(name)).select(*TABLES[name].column_names)

    def read_or_empty(self, name: str) -> DataFrame:
        """The table, or no rows of its schema where it was never written."""
        if self.exists(name):
            return self.read(name)
        return self.spark.createDataFrame([], TABLES[name].spark_schema())

    def append(self, name: str, rows: DataFrame) -> None:
        """Append rows that were paid for. ``rows`` may be lazy and is evaluated once; it must not read this table.

        Raises BadInputError where the table was not created.
        """
        self.hold(name)
        self._require(name)
        self._migrate(name)
        # By name: a column that was added later stands last in the stored table, whatever its place in the schema.
        self._conform(name, rows).writeTo(self.identifier(name)).append()

    def insert_new(self, name: str, rows: DataFrame) -> int:
        """Insert the rows whose key is not in the table yet; rows that are there stay untouched.

        Returns the number inserted. ``rows`` must give the same rows each time it is read: a stored table or Spark
        expressions, never a Python UDF.
        """
        return self._merge(name, rows, update_where=None)

    def insert_rows(self, name: str, rows: Sequence[Mapping[str, Any]], replacing: str | None = None) -> int:
        """As ``insert_new``, of a few rows that are not in Spark yet: one mapping of column to value each.

        Stored rows of the same key that ``replacing``, SQL over ``old``, holds for are replaced. Returns rows written.
        """
        return self._merge(name, self.frame(name, rows), update_where=replacing)

    def upsert(self, name: str, rows: DataFrame) -> int:
        """As ``insert_new``, and update rows that differ (run_id and created_time aside). Returns rows written."""
        return self._merge(name, rows, update_where=_differs(TABLES[name]))

    def replace_slice(self, name: str, rows: DataFrame, where: str) -> int:
        """Make ``rows`` the only rows of the table for which ``where``, SQL over its columns, holds.

        As ``upsert``, and rows of the slice whose key is not in ``rows`` are deleted, in the same commit; where nothing
        changes there is none. ``rows`` must not change when they are read twice. Returns rows written and deleted.
        Raises BadInputError for rows outside the slice.
        """
        table = TABLES[name]
        self.create(name)
        source = self._conform(name, rows).dropDuplicates(list(table.key))
        outside = source.where(f"NOT coalesce({where}, false)").count()
        if outside:
            raise BadInputError(
                f"table {name}: {outside:,} rows are outside the slice that they are to replace ({where}).",
                "Write them with upsert, or widen the slice.",
            )
        stored, same_key, differs = self.read(name), _same_key(table), _differs(table)
        unchanged = F.expr(f"{same_key} AND NOT ({differs})")
        if (
            source.alias("new").join(stored.alias("old"), unchanged, "left_anti").isEmpty()
            and stored.where(where).alias("old").join(source.alias("new"), F.expr(same_key), "left_anti").isEmpty()
        ):
            return 0
        merge = DeltaTable.forName(self.spark, self.identifier(name)).alias("old").merge(source.alias("new"), same_key)
        merge = merge.whenMatchedUpdateAll(differs).whenNotMatchedInsertAll().whenNotMatchedBySourceDelete(where)
        return _affected(merge.execute())

    def update(self, name: str, rows: DataFrame, on: str, changes: Mapping[str, str]) -> int:
        """Set columns of the stored rows (``old``) that match one of ``rows`` (``new``); returns rows changed.

        ``on`` and the values of ``changes`` (column -> value) are SQL over both; ``rows`` must not change when they are
        read twice, and no two of them may match one stored row. Where none matches there is no commit.
        """
        self.hold(name)
        if self.read(name).alias("old").join(rows.alias("new"), F.expr(on), "left_semi").isEmpty():
            return 0
        merge = DeltaTable.forName(self.spark, self.identifier(name)).alias("old").merge(rows.alias("new"), on)
        return _affected(merge.whenMatchedUpdate(set=dict(changes)).execute())

    def delete_matching(self, name: str, rows: DataFrame, on: str) -> int:
        """Delete the stored rows (``old``) that match one of ``rows`` (``new``) by SQL ``on``; returns rows deleted."""
        self.hold(name)
        if self.read(name).alias("old").join(rows.alias("new"), F.expr(on), "left_semi").isEmpty():
            return 0
        merge = DeltaTable.forName(self.spark, self.identifier(name)).alias("old").merge(rows.alias("new"), on)
        return _affected(merge.whenMatchedDelete().execute())

    def replace_all(self, name: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Make a few ``rows``, one mapping of column to value each, the only ones of a table that is there.

        One commit without a look at what is stored; of two at once one fails.
        """
        self.hold(name)
        self.frame(name, rows).writeTo(self.identifier(name)).overwrite(F.lit(True))

    @contextmanager
    def materialised(self, rows: DataFrame) -> Iterator[DataFrame]:
        """Evaluate ``rows`` once, to be read any number of times in the block.

        On a cluster they are in a scratch Delta table, which outlives a lost executor. Where Spark is one process they
        stay in its memory and on its disk, which for a few rows takes a tenth of the time (docs/experiments.md).
        """
        if not self.scratch_tables:
            kept = rows.localCheckpoint()
            try:
                yield kept
            finally:  # else its blocks stay until Python and the JVM have both collected the frame
                kept._jdf.queryExecution().logical().rdd().unpersist(False)
            return
        self.hold()  # who has the lease drops scratch tables, as of runs that were killed
        name = f"{SCRATCH}{uuid.uuid4().hex}"
        identifier = self.identifier(name)
        try:
            rows.writeTo(identifier).using("delta").create()
            yield self.spark.table(identifier)
        finally:
            self.drop(name)

    def hold(self, name: str = "") -> None:
        """Before a write to ``name``: take the lease, where there is one; LeaseHeldError where another run has it."""
        if self.lease is not None and name != LEASES.name:
            self.lease.hold()

    def _require(self, name: str) -> None:
        if not self.exists(name):
            raise BadInputError(
                f"table {name} does not exist in {self.root}.", f"Run {TABLES[name].writer} first, or set warehouse."
            )

    def _migrate(self, name: str) -> None:
        if name not in self._current:
            migrate_table(self.spark, self.identifier(name), TABLES[name])
            self._current.add(name)

    def _merge(self, name: str, rows: DataFrame, *, update_where: str | None) -> int:
        self.create(name)
        source = self._news_of(name, rows, update_where)
        # A MERGE that changes nothing costs 5 s here and commits a version; the look costs 1 s.
        if source.isEmpty():
            return 0
        target = DeltaTable.forName(self.spark, self.identifier(name)).alias("old")
        merge = target.merge(source.alias("new"), _same_key(TABLES[name]))
        if update_where:
            merge = merge.whenMatchedUpdateAll(update_where)
        return _affected(merge.whenNotMatchedInsertAll().execute())

    def _news_of(self, name: str, rows: DataFrame, update_where: str | None) -> DataFrame:
        """``rows`` whose key table ``name`` lacks, or has with values for which ``update_where`` holds; a row a key."""
        table = TABLES[name]
        # Two source rows of one key would both be inserted.
        source = self._conform(name, rows).dropDuplicates(list(table.key))
        same_key = _same_key(table)
        stored = F.expr(f"{same_key} AND NOT ({update_where})" if update_where else same_key)
        return source.alias("new").join(self.read(name).alias("old"), stored, "left_anti")

    def frame(self, name: str, rows: Sequence[Mapping[str, Any]]) -> DataFrame:
        """A few ``rows``, one mapping of column to value each, as a frame in the table's columns."""
        table = TABLES[name]
        values = [tuple(row[column] for column in table.column_names) for row in rows]
        return self.spark.createDataFrame(values, table.spark_schema())

    def _conform(self, name: str, rows: DataFrame) -> DataFrame:
        table: Table = TABLES[name]
        check_columns(table, rows.dtypes, where="rows to be written")
        return rows.select(*table.column_names)

    def drop(self, name: str) -> None:
        """Drop a table with its files."""
        if not self.is_path:
            self.spark.sql(f"DROP TABLE IF EXISTS {self.identifier(name)}")
            return
        path, files = self.folder(name)
        files.delete(path, True)

    def folder(self, name: str) -> tuple[Any, Any]:
        """The folder of a table, "" for that of all, as Hadoop's Path, and its FileSystem."""
        jvm = self.spark.sparkContext._jvm
        assert jvm is not None
        path = jvm.org.apache.hadoop.fs.Path(f"{self.root}/{name}".rstrip("/"))
        return path, path.getFileSystem(self.spark.sparkContext._jsc.hadoopConfiguration())


def _same_key(table: Table) -> str:
    return " AND ".join(f"old.{column} <=> new.{column}" for column in table.key)


def _differs(table: Table) -> str:
    """SQL that holds where two rows of one key differ in a value; who wrote them and when is none."""
    values = [column for column in table.column_names if column not in (*table.key, *STAMP)]
    return " OR ".join(f"NOT (old.{column} <=> new.{column})" for column in values)


def _affected(metrics: DataFrame) -> int:
    row = metrics.first()
    return int(row["num_affected_rows"]) if row is not None else 0
