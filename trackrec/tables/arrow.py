"""Schemas between Spark SQL, Arrow and delta-rs."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
from deltalake import Field, Schema
from deltalake.schema import ArrayType, MapType, StructType

from trackrec.tables.contract import Column, Table

_ARROW_TYPES = {
    "string": pa.string(),
    "int": pa.int32(),
    "bigint": pa.int64(),
    "float": pa.float32(),
    "double": pa.float64(),
    "boolean": pa.bool_(),
    "timestamp": pa.timestamp("us", tz="UTC"),  # what Spark's TIMESTAMP is; without the zone it would be TIMESTAMP_NTZ
    "array<string>": pa.list_(pa.string()),
    "array<float>": pa.list_(pa.float32()),
    "array<double>": pa.list_(pa.float64()),
    "array<array<float>>": pa.list_(pa.list_(pa.float32())),
    "array<struct<attribute:string,liked:int,disliked:int>>": pa.list_(
        pa.struct([("attribute", pa.string()), ("liked", pa.int32()), ("disliked", pa.int32())])
    ),
    "map<string,double>": pa.map_(pa.string(), pa.float64()),
    "map<string,bigint>": pa.map_(pa.string(), pa.int64()),
}
_SPARK_NAMES = {"long": "bigint", "integer": "int", "short": "smallint", "byte": "tinyint"}  # of Delta's primitives


def arrow_type(column: Column) -> pa.DataType:
    """The Arrow type of a column; KeyError for one that is nowhere nullable, of a table that only Spark writes."""
    return _ARROW_TYPES[column.type]


def arrow_schema(table: Table) -> pa.Schema:
    """The table's columns, comments included."""
    return pa.schema(
        [pa.field(c.name, arrow_type(c), c.nullable, metadata={"comment": c.comment}) for c in table.columns]
    )


def delta_fields(columns: tuple[Column, ...]) -> list[Field]:
    """Columns as ``DeltaTable.alter.add_columns`` takes them."""
    fields = [pa.field(c.name, arrow_type(c), c.nullable, metadata={"comment": c.comment}) for c in columns]
    return list(Schema.from_arrow(pa.schema(fields)).fields)


def spark_type(kind: Any) -> str:
    """Spark's name of a type of delta-rs, e.g. ``bigint`` or ``array<struct<text:string,reward:double>>``."""
    if isinstance(kind, ArrayType):
        return f"array<{spark_type(kind.element_type)}>"
    if isinstance(kind, MapType):
        return f"map<{spark_type(kind.key_type)},{spark_type(kind.value_type)}>"
    if isinstance(kind, StructType):
        return f"struct<{','.join(f'{field.name}:{spark_type(field.type)}' for field in kind.fields)}>"
    name = str(kind.type)
    return _SPARK_NAMES.get(name, name)


def without_views(table: pa.Table) -> pa.Table:
    """Strings as Arrow's ordinary type: few of its functions take the string views that a query returns."""
    return table.cast(pa.schema([field.with_type(_without_views(field.type)) for field in table.schema]))


def _without_views(kind: pa.DataType) -> pa.DataType:
    """``kind`` with strings in the place of string views, in lists and structs too."""
    if pa.types.is_string_view(kind):
        return pa.string()
    if pa.types.is_list(kind):
        return pa.list_(kind.value_field.with_type(_without_views(kind.value_type)))
    if pa.types.is_struct(kind):
        return pa.struct([field.with_type(_without_views(field.type)) for field in kind])
    return kind
