"""What is structurally wrong in a log goes to the quarantine with a reason, the rest on: Spark expressions only."""

from __future__ import annotations

from dataclasses import dataclass, field

from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import Column, DataFrame, Row
from pyspark.sql import functions as F

from trackrec.histories.splits import SPLITS
from trackrec.histories.untrusted import neutralise, title_or_id
from trackrec.runtime.errors import BadInputError
from trackrec.runtime.settings import SourceSettings, TableSource
from trackrec.tables import schemas
from trackrec.tables.quarantine import fault_rows
from trackrec.tables.spark_errors import error_condition

# Later times do not fit pandas' nanoseconds, and milliseconds mistaken for seconds land far beyond.
_FIRST_TIME, _END_OF_TIME = "1970-01-01", "2262-01-01"
# A number below a year of seconds is no epoch time but a year, a zero, or a compact date: 20240115 would be in 1970.
_LEAST_EPOCH_SECONDS = 366 * 24 * 3600
# A cast of '12:30' or 'now' to a timestamp gives today's date: a date has to be there.
_ISO_DATE = r"^\s*\d{4}-\d{1,2}-\d{1,2}([T ]|$)"
_MAX_ATTRIBUTES = 50  # an item
# No id, title, time or list of attributes has more line breaks. A cell of a CSV that has swallowed the lines behind a
# quote that is never closed does: up to the reader's 2 million characters, about 40,000 lines of a catalogue.
_MAX_LINE_BREAKS = 5
_SHOWN_ROW_CHARS = 80  # of a row with such a cell: where to look for the quote


@dataclass(frozen=True)
class Counts:
    """What became of the rows: rows_in = good + sum(quarantined) + duplicates + conflicting."""

    rows_in: int
    good: int
    duplicates: int  # dropped: another row of the key says the same
    conflicting: int  # dropped: the row of the key that was kept says otherwise
    late: int  # good interactions that were known only after their event_time
    placeholders: int  # good items without a title, called "item <id>"
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
    # One row a reason and key: n rows, `same` of them like the kept one; flags late, placeholder; most line_breaks.
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
            F.count_if("late").alias("late"),
            F.count_if("placeholder").alias("placeholders"),
            F.max("line_breaks").alias("line_breaks"),
        )
        rows = self._collected(by_reason)
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
            placeholders=good.get("placeholders", 0),
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

    def _collected(self, frame: DataFrame) -> list[Row]:
        try:
            return frame.collect()
        except (PySparkException, Py4JJavaError) as error:
            if not error_condition(error).startswith("FAILED_READ_FILE"):
                raise
            raise BadInputError(
                f"table {self._table}: a file of it cannot be read to its end ({error_condition(error)}).",
                "Mend or leave out the file. In a CSV look for a quote that is opened and never closed; where quotes "
                f"mean nothing, set source.{self._table}.options.quote to ''.",
            ) from error


def clean_interactions(raw: DataFrame, source: SourceSettings) -> Cleaned:
    """Interactions as ``read_table`` gives them -> good (user_id, item_id, event_time, known_time, label, split), bad.

    known_time is when the system knew of the event, never before event_time. label is the given one, else rating >=
    like_threshold. Of rows with one user, item and event_time the one known first is kept, and of those known at the
    same time the one not liked; where they name several splits the event is test before validation before train, so
    that what is tested never teaches. Reasons: null_user_id, null_item_id (NULL, blank or not UTF-8), bad_event_time,
    bad_available_time (unparsable, before 1970 or after 2261), rating_out_of_range, label_not_binary, no_label,
    unknown_split (none of splits.SPLITS; case does not count).
    """
    checked = _with_reasons(raw, source)
    ok = F.col("reason").isNull()
    # known_time and label in one number keep the aggregation in Spark's hash table: 3 million rows take 13 s on 2 busy
    # cores; a struct of the two is sorted, 26 s.
    keys = checked.groupBy("reason", *(F.when(ok, F.col(k)).alias(k) for k in schemas.INTERACTIONS.key)).agg(
        F.count("*").alias("n"),
        F.sum("label").alias("likes"),
        F.min(F.unix_micros("known_time") * 2 + F.col("label")).alias("first"),
        F.min("split").alias("least_split"),
        F.max("split").alias("split"),
        F.max("line_breaks").alias("line_breaks"),
    )
    label, known_time = F.col("first").bitwiseAND(F.lit(1)), F.timestamp_micros(F.shiftright("first", 1))
    good = keys.where(ok).select(
        *schemas.INTERACTIONS.key,
        known_time.alias("known_time"),
        label.cast("int").alias("label"),
        F.get(F.array(*map(F.lit, SPLITS)), (F.col("split") - 1).cast("int")).alias("split"),
    )
    same_label = F.when(label == 1, F.col("likes")).otherwise(F.col("n") - F.col("likes"))
    same = F.when(F.col("split") == F.col("least_split"), same_label).otherwise(1)
    late = known_time > F.col("event_time")
    counted = keys.select(
        "reason", "n", same.alias("same"), late.alias("late"), F.lit(False).alias("placeholder"), "line_breaks"
    )
    bad = _set_aside(checked, schemas.INTERACTIONS.name)
    return Cleaned(good, bad, schemas.INTERACTIONS.name, counted, checked.select("row", "line_breaks"))


def clean_items(raw: DataFrame, max_title_chars: int, source: TableSource | None = None) -> Cleaned:
    """Items as ``read_table`` gives them -> good (item_id, title, attributes: neutralised, none NULL), and bad.

    Of rows with one item_id the one with a title is kept, of those the alphabetically first (title, then attributes).
    An item without a title is called "item <id>". Attributes are distinct, at most 50, each cut like a title. Reason:
    null_item_id. With ``source``, ``count`` looks for an open quote where that is a CSV.
    """
    title = neutralise(F.col("title"), max_title_chars)
    checked = raw.select(
        _identity("item_id"),
        F.when(title != "", title).alias("title"),
        _attributes(F.col("attributes"), max_title_chars).alias("attributes"),
        F.lit(None).cast("string").alias("user_id"),
        _as_json(raw),
        _line_breaks(raw, source),
    ).withColumn("reason", F.when(F.col("item_id").isNull(), "null_item_id"))
    keys = checked.groupBy("reason", "item_id").agg(
        F.count("*").alias("n"),
        F.min(F.struct(F.col("title").isNull(), "title", "attributes")).alias("kept"),
        F.max("line_breaks").alias("line_breaks"),
    )
    good = keys.where(F.col("reason").isNull()).select(
        "item_id",
        title_or_id(F.col("kept.title"), max_title_chars).alias("title"),
        F.col("kept.attributes").alias("attributes"),
    )
    untitled = F.col("kept.title").isNull()
    late, same = F.lit(False).alias("late"), F.col("n").alias("same")
    counted = keys.select("reason", "n", same, late, untitled.alias("placeholder"), "line_breaks")
    bad = _set_aside(checked, schemas.ITEMS.name)
    return Cleaned(good, bad, schemas.ITEMS.name, counted, checked.select("row", "line_breaks"))


def _with_reasons(raw: DataFrame, source: SourceSettings) -> DataFrame:
    event_time, available_time = (_time(raw, name) for name in ("event_time", "available_time"))
    rating, given = F.col("rating").try_cast("double"), F.col("label").try_cast("double")
    # NaN is greater than any number, so between() refuses it; coalesce() catches what could not be cast.
    rated = F.coalesce(rating.between(source.rating_min, source.rating_max), F.lit(False))
    binary = F.coalesce(given.isin(0.0, 1.0), F.lit(False))
    has_rating, has_label = F.col("rating").isNotNull(), F.col("label").isNotNull()
    user_id, item_id = _identity("user_id"), _identity("item_id")
    reason = (
        F.when(user_id.isNull(), "null_user_id")
        .when(item_id.isNull(), "null_item_id")
        .when(event_time.isNull(), "bad_event_time")
        .when(F.col("available_time").isNotNull() & available_time.isNull(), "bad_available_time")
        .when(has_rating & ~rated, "rating_out_of_range")
        .when(has_label & ~binary, "label_not_binary")
        .when(~has_rating & ~has_label, "no_label")
        .when(_split_number(raw).isNull(), "unknown_split")
    )
    return raw.select(
        user_id,
        item_id,
        event_time.alias("event_time"),
        F.greatest(event_time, F.coalesce(available_time, event_time)).alias("known_time"),
        F.coalesce(given, (rating >= source.like_threshold).cast("double")).try_cast("int").alias("label"),
        _split_number(raw).alias("split"),
        reason.alias("reason"),
        _event_as_json(raw),
        _line_breaks(raw, source.interactions),
    )


def _identity(name: str) -> Column:
    """An id, or NULL where it is blank or not UTF-8 (Python workers and deltalake would fail on it)."""
    given = F.btrim(F.col(name), F.lit(" \t\r\n"))
    return F.when(F.is_valid_utf8(given) & (given != ""), given).alias(name)


def _split_number(raw: DataFrame) -> Column:
    """0 where a row names no split, else 1 + the split's place in SPLITS; NULL where it is none of them."""
    if "split" not in raw.columns:
        return F.lit(0)
    given = F.lower(F.btrim(F.coalesce("split", F.lit("")), F.lit(" \t\r\n")))
    return F.when(given == "", 0).otherwise(F.nullif(F.array_position(F.array(*map(F.lit, SPLITS)), given), F.lit(0)))


def _time(raw: DataFrame, name: str) -> Column:
    """A timestamp out of a timestamp, a date, an ISO string or epoch seconds; NULL where it is none of them."""
    kind, value = raw.schema[name].dataType.simpleString(), F.col(name)
    if kind in ("timestamp", "timestamp_ntz", "date", "void"):
        time = value.try_cast("timestamp")
    else:
        seconds = value.try_cast("decimal(20,6)")
        time = F.when(seconds >= _LEAST_EPOCH_SECONDS, seconds.try_cast("timestamp"))
        if kind == "string":
            time = F.coalesce(time, F.when(value.rlike(_ISO_DATE), value.try_cast("timestamp")))
    first, end = (F.lit(t).cast("timestamp") for t in (_FIRST_TIME, _END_OF_TIME))
    return F.when((time >= first) & (time < end), time)


def _attributes(attributes: Column, max_chars: int) -> Column:
    harmless = F.transform(attributes, lambda a: neutralise(a, max_chars))
    kept = F.slice(F.array_distinct(F.filter(harmless, lambda a: a != "")), 1, _MAX_ATTRIBUTES)
    return F.coalesce(kept, F.array().cast("array<string>"))


def _line_breaks(raw: DataFrame, source: TableSource | None) -> Column:
    """Line breaks in the cell of a row that has most; 0 where the source is no CSV: only there a quote opens a cell."""
    if source is None or source.format != "csv":
        return F.lit(0).alias("line_breaks")
    cells = [F.concat_ws("", F.col(name)) for name, kind in raw.dtypes if kind in ("string", "array<string>")]
    breaks = [F.length(cell) - F.length(F.replace(cell, F.lit("\n"))) for cell in cells]
    return F.greatest(F.lit(0), F.lit(0), *breaks).alias("line_breaks")


def _as_json(raw: DataFrame) -> Column:
    """The row as it came, every value as a string: what could not be cast is what a person wants to see."""
    shown = F.struct(*(F.col(c).cast("string").alias(c) for c in raw.columns))
    return F.to_json(shown, {"ignoreNullFields": "false"}).alias("row")


def _event_as_json(raw: DataFrame) -> Column:
    """As ``_as_json``, without ``split`` where there is none, as before logs had any: a fault is known by this text."""
    without = _as_json(raw.drop("split"))
    if "split" not in raw.columns:
        return without
    return F.when(F.col("split").isNull(), without).otherwise(_as_json(raw)).alias("row")


def _set_aside(checked: DataFrame, table: str) -> DataFrame:
    faults = checked.where(F.col("reason").isNotNull())
    rows = fault_rows(faults, table, reason=F.col("reason"), row=F.col("row"))
    return rows.dropDuplicates(["fault_key"])
