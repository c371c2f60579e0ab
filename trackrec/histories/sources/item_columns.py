"""Cleaned columns of the team's catalogue: attributes, year and description of an item, as Spark expressions."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from trackrec.histories.untrusted import neutralise

_MAX_ATTRIBUTES = 50  # an item
# The default encoder reads 256 tokens, about 1,000 characters: what stands behind them would not be seen.
MAX_DESCRIPTION_CHARS = 1000
# Four digits: a zero, a count or a price that was mapped by mistake is no year.
_FIRST_YEAR, _LAST_YEAR = 1000, 2100


def item_attributes(max_chars: int) -> Column:
    """Column ``attributes`` as an array, never NULL: neutralised, each cut to ``max_chars``, distinct, at most 50."""
    harmless = F.transform(F.col("attributes"), lambda a: neutralise(a, max_chars))
    kept = F.slice(F.array_distinct(F.filter(harmless, lambda a: a != "")), 1, _MAX_ATTRIBUTES)
    return F.coalesce(kept, F.array().cast("array<string>"))


def item_year(raw: DataFrame) -> Column:
    """Column ``year`` as a whole number from 1000 to 2100, of a date its year; NULL where it is none of these."""
    kind, value = raw.schema["year"].dataType.simpleString(), F.col("year")
    number = F.year(value) if kind in ("date", "timestamp", "timestamp_ntz") else value.try_cast("double")
    is_year = number.between(_FIRST_YEAR, _LAST_YEAR) & (number == F.floor(number))
    return F.when(is_year, number.cast("int"))


def with_decade() -> Column:
    """Cleaned ``attributes`` and, last, the decade of a cleaned ``year``: 1990s; without a year as they are."""
    year = F.col("year")
    decade = F.concat((year - year % 10).cast("string"), F.lit("s"))
    return F.when(year.isNull(), F.col("attributes")).otherwise(F.array_union("attributes", F.array(decade)))


def has_unusable_year(raw: DataFrame) -> Column:
    """Whether column ``year`` holds something of which ``item_year`` can make no year: 0, "V", "unknown"."""
    given = F.coalesce(F.btrim(F.col("year").cast("string")) != "", F.lit(False))
    return given & item_year(raw).isNull()


def item_description() -> Column:
    """Column ``description`` as one neutralised line of at most 1,000 characters; NULL where nothing is left of it."""
    return F.nullif(neutralise(F.col("description"), MAX_DESCRIPTION_CHARS), F.lit(""))
