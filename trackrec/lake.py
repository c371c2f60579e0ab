"""Delta tables without Spark: delta-rs reads them into Arrow and appends rows that Spark can read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
from deltalake import DeltaTable, QueryBuilder, write_deltalake
from deltalake.exceptions import DeltaError, TableNotFoundError

from trackrec.contract import Table
from trackrec.errors import BadInputError
from trackrec.schemas import TABLES

_ARROW = {
    "string": pa.string(),
    "int": pa.int32(),
    "bigint": pa.int64(),
    "double": pa.float64(),
    "timestamp": pa.timestamp("us", tz="UTC"),  # what Spark's TIMESTAMP is; without the zone it would be TIMESTAMP_NTZ
}


def table_uri(warehouse: str, name: str) -> str:
    """Where a table lies: ``<warehouse>/<name>``, a folder or an object-store URL. BadInputError for catalog.schema."""
    if "/" not in warehouse and not warehouse.startswith("."):
        raise BadInputError(
            f"warehouse {warehouse} is a catalog name, and delta-rs opens tables by path.",
            "Give the schema's storage location, e.g. --set warehouse=s3://bucket/schema.",
        )
    return f"{warehouse.rstrip('/')}/{name}"


def read_columns(warehouse: str, name: str, columns: Sequence[str]) -> pa.Table:
    """``columns`` of a whole table, one chunk a column. BadInputError: no table, no such column, no rows."""
    uri, writer = table_uri(warehouse, name), TABLES[name].writer
    try:
        delta = DeltaTable(uri)
        present = [field.name for field in delta.schema().fields]
        if missing := [column for column in columns if column not in present]:
            raise BadInputError(
                f"table {name} ({uri}) lacks {', '.join(missing)}. Present: {', '.join(present)}.",
                f"Rebuild it with {writer}.",
            )
        # Not to_pyarrow_table: with deltalake 1.6.6 and pyarrow 26 on a busy machine 11 of 72 short processes that had
        # called it aborted at exit ("terminate called without an active exception"); none of 36 that queried.
        wanted = ", ".join(f'"{column}"' for column in columns)
        found = QueryBuilder().register(name, delta).execute(f"SELECT {wanted} FROM {name}")
        table = _plain(pa.table(found.read_all()))
    except TableNotFoundError:
        raise BadInputError(f"table {name} does not exist at {uri}.", f"Run {writer} first.") from None
    except DeltaError as error:
        reason = " ".join(str(error).split())
        raise BadInputError(
            f"table {name} ({uri}) cannot be read: {reason}.",
            "Keep deletion vectors, column mapping and v2 checkpoints off on it.",
        ) from None
    if table.num_rows == 0:
        raise BadInputError(f"table {name} ({uri}) is empty.", f"Run {writer} first.")
    return table.combine_chunks()


def _plain(table: pa.Table) -> pa.Table:
    """Strings as Arrow's ordinary type: few of its functions take the string views that a query returns."""
    types = [pa.string() if pa.types.is_string_view(field.type) else field.type for field in table.schema]
    return table.cast(pa.schema([field.with_type(kind) for field, kind in zip(table.schema, types, strict=True)]))


def append_rows(warehouse: str, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Append ``rows`` (one mapping of column to value each) in one commit; the table is created where there is none."""
    schema = pa.schema([pa.field(c.name, _ARROW[c.type], c.nullable) for c in table.columns])
    data = pa.Table.from_pylist([dict(row) for row in rows], schema=schema)
    write_deltalake(table_uri(warehouse, table.name), data, mode="append")
