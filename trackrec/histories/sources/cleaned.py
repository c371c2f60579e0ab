"""What became of the rows of a source: those to go on with, those set aside, and how many of which."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from trackrec.runtime.errors import BadInputError
from trackrec.runtime.settings import TableSource
from trackrec.tables.spark_errors import error_condition

# No id, title, time or list of attributes has more line breaks, no description more than the second number. A cell of a
# CSV that has swallowed the lines behind a quote that is never closed does: up to the reader's 2 million characters,
# about 40,000 lines of a catalogue.
_MAX_LINE_BREAKS, _MAX_DESCRIPTION_BREAKS = 5, 100
_SHOWN_ROW_CHARS = 80  # of a row with such a cell: where to look for the quote
# What is counted of the rows that are kept.
_FLAGS = ("late", "placeholder", "dated", "described", "unusable_year", "textless")


@dataclass(frozen=True)
class Counts:
    """What became of the rows: rows_in = good + sum(quarantined) + duplicates + conflicting."""

    rows_in: int
    good: int
    duplicates: int  # dropped: another row of the key says the same
    conflicting: int  # dropped: the row of the key that was kept says otherwise
    late: int  # good interactions that were known only after their event_time
    placeholders: int  # good items without a title, called "item <id>"
    years: int = 0  # good items with a year
    descriptions: int = 0  # good items with a description
    unusable_years: int = 0  # good items whose year is none, and NULL now
    textless: int = 0  # good items with neither title, year, attributes nor description
    quarantined: dict[str, int] = field(default_factory=dict)  # reason -> rows


@dataclass(frozen=True)
class Cleaned:
    """Rows to go on with, and rows set aside; both lazy.

    ``bad`` has quarantine's columns but run_id and created_time; equal rows are one. ``good``, ``bad`` and ``count``
    read the source once each: count first, and leave ``bad`` alone where nothing was quarantined.
    """

    good: DataFrame
    bad: DataFrame
    _table: str
    # One row a reason and key: n rows, `same` of them like the kept one; _FLAGS; most line_breaks.
    _keys: DataFrame
    _rows: DataFrame  # row (JSON) and line_breaks (of its longest cell; 0 where the source is no CSV)

    def count(self) -> Counts:
        """Count everything in one pass over the source.

        Raises BadInputError where a file of it cannot be read to its end, or a quote in a CSV swallowed rows.
        """
        by_reason = self._keys.groupBy("reason").agg(
            F.sum("n").alias("n"),
            F.count("*").alias("keys"),
            F.sum(F.col("same") - 1).alias("duplicates"),
            F.sum(F.col("n") - F.col("same")).alias("conflicting"),
            *[F.count_if(flag).alias(flag) for flag in _FLAGS],
            F.max("line_breaks").alias("line_breaks"),
        )
        with told_by_table(self._table):
            rows = by_reason.collect()
        line_breaks = max((r["line_breaks"] for r in rows), default=0)
        if line_breaks > _MAX_LINE_BREAKS:
            raise self._open_quote(line_breaks)
        quarantined = {r["reason"]: r["n"] for r in rows if r["reason"]}
        good: dict[str, int] = next((r.asDict() for r in rows if not r["reason"]), {})
        return Counts(
            rows_in=sum(quarantined.values()) + good.get("n", 0),
            good=good.get("keys", 0),
            duplicates=good.get("duplicates", 0),
            conflicting=good.get("conflicting", 0),
            late=good.get("late", 0),
            placeholders=good.get("placeholder", 0),
            years=good.get("dated", 0),
            descriptions=good.get("described", 0),
            unusable_years=good.get("unusable_year", 0),
            textless=good.get("textless", 0),
            quarantined=quarantined,
        )

    def _open_quote(self, line_breaks: int) -> BadInputError:
        (example,) = self._rows.where(F.col("line_breaks") == line_breaks).select("row").take(1)
        return BadInputError(
            f"table {self._table}: a cell of the row {example['row'][:_SHOWN_ROW_CHARS]}… has {line_breaks + 1:,} "
            "lines: a quote is opened there and never closed, and the rows behind it are lost.",
            f"Close the quote in the file, or where quotes mean nothing set source.{self._table}.options.quote to ''. "
            "A table that does have such cells can be read from Parquet or Delta.",
        )


@contextmanager
def told_by_table(table: str) -> Iterator[None]:
    """What Spark cannot read in this block is a file of the source ``table``: BadInputError."""
    try:
        yield
    except (PySparkException, Py4JJavaError) as error:
        if not error_condition(error).startswith("FAILED_READ_FILE"):
            raise
        raise BadInputError(
            f"table {table}: a file of it cannot be read to its end ({error_condition(error)}).",
            "Mend or leave out the file. In a CSV look for a quote that is opened and never closed; where quotes "
            f"mean nothing, set source.{table}.options.quote to ''.",
        ) from error


def flags_of(**flags: Column) -> list[Column]:
    """The columns that ``Cleaned.count`` counts rows by, false where not given: late, placeholder, dated, …"""
    return [flags.get(name, F.lit(False)).alias(name) for name in _FLAGS]


def line_breaks_of(raw: DataFrame, source: TableSource | None) -> Column:
    """Line breaks in the cell of a row that has most; 0 where the source is no CSV: only there a quote opens a cell."""
    if source is None or source.format != "csv":
        return F.lit(0).alias("line_breaks")
    breaks = []
    for name, kind in raw.dtypes:
        if kind in ("string", "array<string>"):
            cell = F.concat_ws("", F.col(name))
            count = F.length(cell) - F.length(F.replace(cell, F.lit("\n")))
            breaks.append(F.when(count > _MAX_DESCRIPTION_BREAKS, count) if name == "description" else count)
    return F.greatest(F.lit(0), F.lit(0), *breaks).alias("line_breaks")
