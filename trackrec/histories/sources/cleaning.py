"""What is structurally wrong in a log goes to the quarantine with a reason, the rest on: Spark expressions only."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from trackrec.histories.sources.cleaned import Cleaned, flags_of, line_breaks_of
from trackrec.histories.sources.item_columns import (
    has_unusable_year,
    item_attributes,
    item_description,
    item_year,
    with_decade,
)
from trackrec.histories.splits import SPLITS
from trackrec.histories.untrusted import neutralise, title_or_id
from trackrec.runtime.settings import SourceSettings, TableSource
from trackrec.tables import schemas
from trackrec.tables.keys import row_hash
from trackrec.tables.quarantine import fault_rows

# Later times do not fit pandas' nanoseconds, and milliseconds mistaken for seconds land far beyond.
_FIRST_TIME, _END_OF_TIME = "1970-01-01", "2262-01-01"
# A number below a year of seconds is no epoch time but a year, a zero, or a compact date: 20240115 would be in 1970.
_LEAST_EPOCH_SECONDS = 366 * 24 * 3600
# A cast of '12:30' or 'now' to a timestamp gives today's date: a date has to be there.
_ISO_DATE = r"^\s*\d{4}-\d{1,2}-\d{1,2}([T ]|$)"
_OF_ITEM = ("title", "attributes", "year", "description", "unusable_year")


def clean_interactions(raw: DataFrame, source: SourceSettings) -> Cleaned:
    """Interactions as ``read_table`` gives them -> good (user_id, item_id, event_time, known_time, label, split), bad.

    known_time is when the system knew of the event, never before event_time. label is the given one, else rating >=
    like_threshold. Of rows with one user, item and event_time the one known first is kept, and of those known at the
    same time the one not liked; where they name several splits the event is test before validation before train, so
    that what is tested never teaches. Reasons: null_user_id, null_item_id (NULL, blank or not UTF-8), bad_event_time,
    bad_available_time (unparsable, before 1970 or after 2261), rating_out_of_range, label_not_binary, no_label,
    unknown_split (none of splits.SPLITS; case does not count).
    """
    checked = checked_interactions(raw, source)
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
    counted = keys.select("reason", "n", same.alias("same"), *flags_of(late=late), "line_breaks")
    bad = _set_aside(checked, schemas.INTERACTIONS.name)
    return Cleaned(good, bad, schemas.INTERACTIONS.name, counted, checked.select("row", "line_breaks"))


def clean_items(
    raw: DataFrame, max_title_chars: int, source: TableSource | None = None, *, decades: bool = False
) -> Cleaned:
    """Items as ``read_table`` gives them -> good (item_id, title, titled, attributes, year, description), and bad.

    Texts are neutralised. An item without a title is called "item <id>", and ``titled`` is false. Attributes are
    distinct, at most 50, each cut like a title, never NULL; year and description as in item_columns.py, NULL where
    there is none. Of rows with one item_id the one with a title is kept, of those the alphabetically first (title, then
    attributes), of those one with a year, then one with a description. Reason: null_item_id. With ``source``,
    ``count`` looks for an open quote where that is a CSV. With ``decades`` that of the year is one more attribute.
    """
    title = neutralise(F.col("title"), max_title_chars)
    checked = raw.select(
        _identity("item_id"),
        F.when(title != "", title).alias("title"),
        item_attributes(max_title_chars).alias("attributes"),
        item_year(raw).alias("year"),
        item_description().alias("description"),
        has_unusable_year(raw).alias("unusable_year"),
        F.lit(None).cast("string").alias("user_id"),
        # As it was before items had years and descriptions: a fault is known by these words.
        _as_json(raw.drop("year", "description")),
        line_breaks_of(raw, source),
    ).withColumn("reason", F.when(F.col("item_id").isNull(), "null_item_id"))
    titled, dated, described = (F.col(name).isNotNull() for name in ("title", "year", "description"))
    best = F.min(F.struct(~titled, "title", "attributes", ~dated, "year", ~described, "description", "unusable_year"))
    keys = (
        checked.groupBy("reason", "item_id")
        .agg(F.count("*").alias("n"), best.alias("kept"), F.max("line_breaks").alias("line_breaks"))
        .select("reason", "item_id", "n", "line_breaks", *(f"kept.{name}" for name in _OF_ITEM))
    )
    good = keys.where(F.col("reason").isNull()).select(
        "item_id",
        title_or_id(F.col("title"), max_title_chars).alias("title"),
        titled.alias("titled"),
        with_decade().alias("attributes") if decades else "attributes",
        "year", "description",
    )  # fmt: skip
    flags = flags_of(
        placeholder=~titled,
        dated=dated,
        described=described,
        unusable_year=F.col("unusable_year"),
        textless=~titled & ~dated & ~described & (F.size("attributes") == 0),
    )
    counted = keys.select("reason", "n", F.col("n").alias("same"), *flags, "line_breaks")
    bad = _set_aside(checked, schemas.ITEMS.name)
    return Cleaned(good, bad, schemas.ITEMS.name, counted, checked.select("row", "line_breaks"))


def checked_interactions(raw: DataFrame, source: SourceSettings) -> DataFrame:
    """Each row of ``raw`` with what it says (user_id, item_id, event_time, known_time, label, split) and its reason.

    reason is NULL where the row is usable. Also row (JSON), line_breaks, and row_hash of all that the row says.
    """
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
        line_breaks_of(raw, source.interactions),
        row_hash(*raw.columns).alias("row_hash"),
    )


def of_users(raw: DataFrame, users: DataFrame) -> DataFrame:
    """The rows of ``raw`` interactions whose user is among ``users`` (user_id; "": rows without a usable one)."""
    keyed = raw.withColumn("_user", F.coalesce(_identity("user_id"), F.lit("")))
    return keyed.join(users.select(F.col("user_id").alias("_user")), "_user", "left_semi").drop("_user")


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
