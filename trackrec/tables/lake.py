"""Delta tables without Spark: delta-rs reads them into Arrow, and writes rows that Spark can read.

Cloud credentials are no setting of trackrec: delta-rs takes them from the environment (AWS_*, AZURE_*, GOOGLE_*) or
from the machine's role.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import pyarrow as pa
from deltalake import DeltaTable, QueryBuilder
from deltalake.exceptions import DeltaError, TableNotFoundError

from trackrec.runtime.errors import BadInputError
from trackrec.runtime.places import is_path, without_scheme
from trackrec.runtime.settings import Settings
from trackrec.tables.contract import Table
from trackrec.tables.schemas import TABLES

_ARROW = {
    "string": pa.string(),
    "int": pa.int32(),
    "bigint": pa.int64(),
    "double": pa.float64(),
    "timestamp": pa.timestamp("us", tz="UTC"),  # what Spark's TIMESTAMP is; without the zone it would be TIMESTAMP_NTZ
    "map<string,double>": pa.map_(pa.string(), pa.float64()),
    "map<string,bigint>": pa.map_(pa.string(), pa.int64()),
}


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
        with _told(name, uri):
            return bool(DeltaTable.is_deltatable(uri))

    def spark_expression(self, name: str) -> str:
        """The Python expression that reads the table with Spark."""
        return f'spark.read.format("delta").load("{self.root}/{name}")'

    def open(self, name: str) -> DeltaTable:
        """The table as it is now. BadInputError: no table, or delta-rs cannot read it."""
        uri = self.uri(name)
        with _told(name, uri):
            return DeltaTable(uri)

    def read_columns(self, name: str, columns: Sequence[str]) -> pa.Table:
        """``columns`` of a whole table, one chunk a column. BadInputError: no table, no such column, no rows."""
        delta, uri, writer = self.open(name), self.uri(name), TABLES[name].writer
        present = [field.name for field in delta.schema().fields]
        if missing := [column for column in columns if column not in present]:
            raise BadInputError(
                f"table {name} ({uri}) lacks {', '.join(missing)}. Present: {', '.join(present)}.",
                f"Rebuild it with {writer}.",
            )
        with _told(name, uri):
            # Not to_pyarrow_table: with deltalake 1.6.6 and pyarrow 26 on a busy machine 11 of 72 short processes that
            # had called it aborted at exit ("terminate called without an active exception"); none of 36 that queried.
            wanted = ", ".join(f'"{column}"' for column in columns)
            found = QueryBuilder().register(name, delta).execute(f"SELECT {wanted} FROM {name}")
            table = _plain(pa.table(found.read_all()))
        if table.num_rows == 0:
            raise BadInputError(f"table {name} ({uri}) is empty.", f"Run {writer} first.")
        return table.combine_chunks()

    def insert_rows(self, name: str, rows: Sequence[Mapping[str, Any]], replacing: str | None = None) -> int:
        """Insert the rows (one mapping of column to value each) whose key is not in the table yet, in one commit.

        Stored rows of the same key that ``replacing``, SQL over ``old``, holds for are replaced. The table is created,
        with its comments, where there is none. Returns rows written.
        """
        table, uri = TABLES[name], self.uri(name)
        schema = _schema(table)
        data = pa.Table.from_pylist([dict(row) for row in rows], schema=schema)
        same_key = " AND ".join(f"(old.{k} IS NOT DISTINCT FROM new.{k})" for k in table.key)
        with _told(name, uri):
            delta = DeltaTable.create(uri, schema, mode="ignore", description=table.comment)
            merge = delta.merge(data, same_key, source_alias="new", target_alias="old")
            if replacing:
                merge = merge.when_matched_update_all(replacing)
            written = merge.when_not_matched_insert_all().execute()
        return int(written["num_target_rows_inserted"] + written["num_target_rows_updated"])


def open_lake(settings: Settings, job: str) -> Lake:
    """The tables of ``settings.warehouse``; Spark is started only where that is a catalog name, to ask where they lie.

    Raises BadInputError as ``tables.Warehouse`` does.
    """
    if is_path(settings.warehouse):
        return Lake(settings.warehouse)
    from trackrec.runtime.session import spark_session
    from trackrec.tables.catalog import CatalogLake
    from trackrec.tables.warehouse import Warehouse

    return CatalogLake(Warehouse(spark_session(settings, job), settings.warehouse))


@contextmanager
def _told(name: str, uri: str) -> Iterator[None]:
    try:
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


def _plain(table: pa.Table) -> pa.Table:
    """Strings as Arrow's ordinary type: few of its functions take the string views that a query returns."""
    types = [pa.string() if pa.types.is_string_view(field.type) else field.type for field in table.schema]
    return table.cast(pa.schema([field.with_type(kind) for field, kind in zip(table.schema, types, strict=True)]))


def _schema(table: Table) -> pa.Schema:
    comments = ((column, {"comment": column.comment}) for column in table.columns)
    return pa.schema([pa.field(c.name, _ARROW[c.type], c.nullable, metadata=told) for c, told in comments])
