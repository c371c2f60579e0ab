"""Delta tables without Spark: delta-rs reads them into Arrow, and writes rows that Spark can read.

Cloud credentials are no setting of trackrec: delta-rs takes them from the environment (AWS_*, AZURE_*, GOOGLE_*) or
from the machine's role.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import pyarrow as pa
from deltalake import DeltaTable, QueryBuilder
from deltalake.exceptions import DeltaError, TableNotFoundError

from trackrec.runtime.errors import BadInputError
from trackrec.runtime.places import without_scheme
from trackrec.tables.arrow import arrow_schema, arrow_type, delta_fields, spark_type, without_views
from trackrec.tables.contract import Table
from trackrec.tables.migration import KEY_PROPERTY, StoredTable, key_text, migration_of
from trackrec.tables.schemas import TABLES
from trackrec.tables.spark_errors import naming

Row = Mapping[str, Any]  # column -> value


class Lake:
    """The tables of a warehouse that is a folder or URL. No Spark is started."""

    def __init__(self, root: str) -> None:
        self.root = root.rstrip("/")

    def uri(self, name: str) -> str:
        """Where the table lies, as delta-rs takes it: a path or an object-store URL, whether it is there or not."""
        return without_scheme(f"{self.root}/{name}")

    def exists(self, name: str) -> bool:
        """Whether the table was created."""
        uri = self.uri(name)
        with _one_line_errors(name, uri):
            return bool(DeltaTable.is_deltatable(uri))

    def spark_expression(self, name: str) -> str:
        """The Python expression that reads the table with Spark."""
        return f'spark.read.format("delta").load("{self.root}/{name}")'

    def open(self, name: str) -> DeltaTable:
        """The table as it is now. BadInputError: no table, or delta-rs cannot read it."""
        uri = self.uri(name)
        with _one_line_errors(name, uri):
            return DeltaTable(uri)

    def read_columns(self, name: str, columns: Sequence[str]) -> pa.Table:
        """``columns`` of a whole table, one chunk a column. BadInputError: no table, no such column, no rows.

        A nullable column that a table of an earlier version lacks is NULL in every row; reading writes nothing.
        """
        delta, uri, table = self.open(name), self.uri(name), TABLES[name]
        present = [field.name for field in delta.schema().fields]
        nullable = {column.name for column in table.columns if column.nullable}
        if missing := [column for column in columns if column not in present and column not in nullable]:
            raise BadInputError(
                f"table {name} ({uri}) lacks {', '.join(missing)}. Present: {', '.join(present)}.",
                f"Rebuild it with {table.writer}.",
            )
        with _one_line_errors(name, uri):
            rows = _query(delta, name, [column for column in columns if column in present])
        if rows.num_rows == 0:
            raise BadInputError(f"table {name} ({uri}) is empty.", f"Run {table.writer} first.")
        absent = {column: arrow_type(table.column(column)) for column in columns if column not in present}
        for column, kind in absent.items():
            rows = rows.append_column(column, pa.nulls(rows.num_rows, kind))
        return rows.select(columns).combine_chunks()

    def insert_rows(self, name: str, rows: Sequence[Row], replacing: str | None = None) -> int:
        """Insert the rows (one mapping of column to value each) whose key is not in the table yet, in one commit.

        Stored rows of the same key that ``replacing``, SQL over ``old``, holds for are replaced. The table is created,
        with its comments, where there is none, and one of an earlier version gets what it lacks (migration.py), in
        commits of its own. Returns rows written.
        """
        table, uri = TABLES[name], self.uri(name)
        schema = arrow_schema(table)
        data = pa.Table.from_pylist([dict(row) for row in rows], schema=schema)
        same_key = " AND ".join(f"(old.{k} IS NOT DISTINCT FROM new.{k})" for k in table.key)
        with _one_line_errors(name, uri):
            _check_writable(uri)
            delta = DeltaTable.create(
                uri,
                schema,
                mode="ignore",
                description=table.comment,
                configuration={KEY_PROPERTY: key_text(table.key)},
                raise_if_key_not_exists=False,
            )
            delta = _migrated(delta, table)
            merge = delta.merge(data, same_key, source_alias="new", target_alias="old")
            if replacing:
                merge = merge.when_matched_update_all(replacing)
            written = merge.when_not_matched_insert_all().execute()
        return int(written["num_target_rows_inserted"] + written["num_target_rows_updated"])


def _check_writable(uri: str) -> None:
    """OSError where a local table is read-only: delta-rs finds it out too, and a thread of it panics on stderr."""
    if os.path.isdir(uri) and not os.access(uri, os.W_OK):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), uri)


def _query(delta: DeltaTable, name: str, columns: Sequence[str]) -> pa.Table:
    # Not to_pyarrow_table: with deltalake 1.6.6 and pyarrow 26 on a busy machine 11 of 72 short processes that
    # had called it aborted at exit ("terminate called without an active exception"); none of 36 that queried.
    selected = ", ".join(f'"{column}"' for column in columns) or "1"  # of no column still a row each
    return without_views(
        pa.table(QueryBuilder().register(name, delta).execute(f"SELECT {selected} FROM {name}").read_all())
    )


def _migrated(delta: DeltaTable, table: Table) -> DeltaTable:
    """The stored table with what its schema has and it lacks; BadInputError where that cannot be mended."""
    migration = migration_of(table, _stored_table(delta))
    if not migration.needed:
        return delta
    try:
        if migration.new_columns:
            delta.alter.add_columns(delta_fields(migration.new_columns))
        if migration.key is not None:
            delta.alter.set_table_properties({KEY_PROPERTY: migration.key}, raise_if_not_exists=False)
        return delta
    except DeltaError:
        # Another job may have done the same in the meantime.
        newest = DeltaTable(delta.table_uri)
        if migration_of(table, _stored_table(newest)).needed:
            raise
        return newest


def _stored_table(delta: DeltaTable) -> StoredTable:
    columns = {field.name: spark_type(field.type) for field in delta.schema().fields}
    return StoredTable(delta.table_uri, columns, dict(delta.metadata().configuration))


@contextmanager
def _one_line_errors(name: str, uri: str) -> Iterator[None]:
    """Faults of the storage as TrackrecError that names the table."""
    try:
        with naming(f"table {name} ({uri})"):
            yield
    except TableNotFoundError:
        raise BadInputError(f"table {name} does not exist at {uri}.", f"Run {TABLES[name].writer} first.") from None
    except DeltaError as error:
        raise BadInputError(
            f"table {name} ({uri}) cannot be read or written: {_line(error)}.",
            "Keep deletion vectors, column mapping and v2 checkpoints off on it.",
        ) from None
    except OSError as error:
        raise BadInputError(
            f"the storage of table {name} ({uri}) cannot be used: {_line(error)}.",
            "Look at room and permissions, or at a cloud's credentials in the environment (AWS_*, AZURE_*, GOOGLE_*).",
        ) from None


def _line(error: Exception) -> str:
    return " ".join(re.sub(r"\x1b\[[0-9;]*m", "", str(error)).split())[:300].rstrip(".")
