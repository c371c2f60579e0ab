"""A team's table, wherever it lies and however its columns are called, as the columns of the contract."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from trackrec.histories.sources import movielens
from trackrec.histories.sources.csv_options import csv_options
from trackrec.runtime.errors import BadInputError
from trackrec.runtime.known_faults import foreseen
from trackrec.runtime.places import is_name, quoted
from trackrec.runtime.settings import Settings, SourceSettings, TableSource
from trackrec.tables import contract, schemas
from trackrec.tables.spark_errors import error_condition

_INTEGER = "tinyint|smallint|int|bigint"
_TEXT = r"string|char\(\d+\)|varchar\(\d+\)"
_NUMBER = rf"{_INTEGER}|float|double|decimal\(\d+,\d+\)"
# Contract type -> (types that can stand for it, the same in words). An id of type double is refused: it would read
# "196.0" and join nothing. So is an event_time of type float: today's epoch seconds in it are 128 s apart.
_ACCEPTED = {
    "string": (rf"{_TEXT}|{_INTEGER}|decimal\(\d+,0\)", "a string or a whole number"),
    "timestamp": (
        rf"timestamp|timestamp_ntz|date|{_TEXT}|{_INTEGER}|double|decimal\(\d+,\d+\)",
        "a timestamp, a date, an ISO string or epoch seconds (whole, double or decimal)",
    ),
    "double": (rf"{_NUMBER}|{_TEXT}", "a number"),
    "int": (rf"{_NUMBER}|{_TEXT}|boolean", "0 or 1"),
    "array<string>": (rf"array<string>|{_TEXT}", "array<string> or one separated string"),
}
# Of a column, above what its type takes.
_ACCEPTED_OF = {"year": (rf"{_NUMBER}|{_TEXT}|date|timestamp|timestamp_ntz", "a number or a date")}
# Besides the columns that the contract never lets be NULL.
_ALSO_NEEDED = {"items": ("title",)}


@dataclass(frozen=True)
class Sources:
    """The three tables with the contract's columns, lazy and not yet cleaned (see cleaning.py)."""

    interactions: DataFrame
    items: DataFrame
    users: DataFrame | None


def read_sources(spark: SparkSession, settings: Settings) -> Sources:
    """Read what ``settings.source`` names; a set of MovieLens is fetched into the cache first. Raises BadInputError."""
    source = settings.source
    if source.kind != "tables":
        data = movielens.SETS[source.kind]
        source = movielens.movielens_source(data, movielens.fetch(data, settings.cache_dir()))
    users = read_table(spark, source.users, schemas.USERS) if source.users else None
    return Sources(
        interactions=read_table(spark, _required(source, "interactions"), schemas.INTERACTIONS),
        items=read_table(spark, _required(source, "items"), schemas.ITEMS),
        users=users,
    )


def read_table(spark: SparkSession, source: TableSource, table: contract.Table) -> DataFrame:
    """The columns of ``table`` and no other; nullable ones that the source lacks are NULL.

    Ids and texts are strings (ids trimmed), attributes array<string>. event_time, available_time, rating, label and
    year keep the type they have there: cleaning.py casts them, and shows in the quarantine what could not be cast.
    Raises BadInputError when the table is missing or unreadable, a column is missing, or a type can never be cast.
    """
    frame = _open(spark, source, table)
    mapped = _mapped_columns(source, table, frame.columns)
    types = {field.name: field.dataType.simpleString() for field in frame.schema.fields}
    _check_types(source, table, {column: types[source_column] for column, source_column in mapped.items()})
    return frame.select(*(_contract_column(source, column, mapped, types) for column in table.columns))


def _required(source: SourceSettings, name: str) -> TableSource:
    table: TableSource | None = getattr(source, name)
    if table is None:
        raise BadInputError(
            f"setting source.{name} is not given.",
            f"Say where the table lies (source.{name}.path, .format, .columns), or set source.kind: movielens.",
        )
    return table


def _open(spark: SparkSession, source: TableSource, table: contract.Table) -> DataFrame:
    options = csv_options(source.options) if source.format == "csv" else source.options
    reader = spark.read.format(source.format).options(**options)
    try:
        frame = reader.table(quoted(source.path)) if _is_table_name(source) else reader.load(source.path)
        frame.schema  # noqa: B018  Spark Connect looks only now
    except (PySparkException, Py4JJavaError) as error:
        known = foreseen(error)
        if known is not None and not isinstance(known, BadInputError):
            raise known from error
        raise BadInputError(
            f"table {table.name}: {source.path} does not exist or cannot be read as {source.format} "
            f"({error_condition(error)}).",
            " ".join([f"Correct source.{table.name}.path or .format in conf/.", *([known.remedy] if known else [])]),
        ) from None
    return frame


def _is_table_name(source: TableSource) -> bool:
    return source.format != "csv" and is_name(source.path, parts=3) and not Path(source.path).exists()


def _mapped_columns(source: TableSource, table: contract.Table, columns_present: list[str]) -> dict[str, str]:
    """Contract column -> column of the source, for those that the source has."""
    setting = f"source.{table.name}.columns"
    unknown = [column for column in source.columns if column not in table.column_names]
    if unknown:
        raise BadInputError(
            f"setting {setting}: {table.name} has no column {', '.join(unknown)}.",
            f"Write one of {', '.join(table.column_names)} first, the name in your table second.",
        )
    named = {column: source.columns.get(column, column) for column in table.column_names}
    mapped = {column: source_column for column, source_column in named.items() if source_column in columns_present}
    needed = [c.name for c in table.columns if not c.nullable or c.name in source.columns]
    needed += _ALSO_NEEDED.get(table.name, ())
    missing = [_described(column, named[column]) for column in dict.fromkeys(needed) if column not in mapped]
    if table.name == "interactions" and not {"rating", "label"} & mapped.keys():
        missing.append("rating or label")
    if missing:
        raise BadInputError(
            f"table {table.name} ({source.path}): missing {', '.join(missing)}. Present: {', '.join(columns_present)}.",
            f"Map the columns under {setting} in conf/.",
        )
    return mapped


def _described(column: str, source_column: str) -> str:
    return column if column == source_column else f"{column} (mapped to {source_column})"


def _check_types(source: TableSource, table: contract.Table, types: Mapping[str, str]) -> None:
    accepted = {name: _ACCEPTED_OF.get(name, _ACCEPTED[table.column(name).type]) for name in types}
    faults = [
        f"{name} is {type_}, expected {accepted[name][1]}"
        for name, type_ in types.items()
        if not re.fullmatch(accepted[name][0] + "|void", type_)
    ]
    if faults:
        raise BadInputError(
            f"table {table.name} ({source.path}): {'; '.join(faults)}.",
            f"Cast it in a view and name that in source.{table.name}.path, or map another column.",
        )


def _contract_column(
    source: TableSource, column: contract.Column, mapped: Mapping[str, str], types: Mapping[str, str]
) -> Column:
    if column.name not in mapped:
        return F.lit(None).cast(column.type).alias(column.name)
    source_column = mapped[column.name]
    value = F.col("`" + source_column.replace("`", "``") + "`")
    if column.name.endswith("_id"):
        value = F.btrim(value.cast("string"), F.lit(" \t\r\n"))
    elif column.type == "string":
        value = value.cast("string")
    elif column.type == "array<string>" and not types[source_column].startswith("array"):
        value = F.split(value.cast("string"), re.escape(source.attribute_separator))
    return value.alias(column.name)
