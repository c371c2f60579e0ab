"""Logs → as-of histories: what was known of a user strictly before ``as_of``, and the prompt made of it.

Spark SQL expressions only, no Python UDF: these stages run wide on CPU executors. An event is known from
``known_time`` (its event_time, or later where it arrived late). Order within a user: (known_time, event_time, item_id).
"""

from __future__ import annotations

from datetime import datetime

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from trackrec.histories.prompts import Template
from trackrec.histories.text import neutralise
from trackrec.runtime.settings import HistorySettings
from trackrec.tables.keys import key_of


def rank_events(events: DataFrame) -> DataFrame:
    """Number each user's events in the order they became known, with running counts.

    In: user_id, item_id, event_time, known_time, label. Adds rank (1…), liked_so_far, newest_so_far (timestamp).
    """
    known = Window.partitionBy("user_id").orderBy("known_time", "event_time", "item_id")
    so_far = known.rowsBetween(Window.unboundedPreceding, 0)
    return events.withColumns(
        {
            "rank": F.row_number().over(known).cast("bigint"),
            "liked_so_far": F.sum("label").over(so_far),
            "newest_so_far": F.max("event_time").over(so_far),
        }
    )


def snapshots_every_n_events(ranked: DataFrame, every_n: int) -> DataFrame:
    """Snapshots after every n-th event: as_of = floor of its known_time to the second + 1 s, one a distinct as_of.

    Whatever shares that second is in, what comes later is out. Returns user_id, as_of, n_events, n_liked,
    source_max_time.
    """
    seconds = ranked.groupBy("user_id", F.date_trunc("second", "known_time").alias("second")).agg(
        F.min("rank").alias("first"), *_counts()
    )
    passed = F.expr(f"n_events div {every_n} > (first - 1) div {every_n}")  # a multiple of n lies in this second
    return (
        seconds.where(passed).withColumn("as_of", F.col("second") + F.expr("INTERVAL 1 SECOND")).drop("second", "first")
    )


def snapshots_nightly(ranked: DataFrame, as_of: datetime) -> DataFrame:
    """One snapshot a user at ``as_of`` (UTC) of what was known strictly before it; users with nothing have none."""
    seen = ranked.where(F.col("known_time") < F.lit(as_of))
    return seen.groupBy("user_id").agg(*_counts()).withColumn("as_of", F.lit(as_of))


def histories(
    snapshots: DataFrame,
    ranked: DataFrame,
    items: DataFrame,
    settings: HistorySettings,
    template: Template,
    *,
    late: bool,
) -> DataFrame:
    """Fill snapshots with lists, tallies, prompt_body and prompt_key.

    ``items``: item_id, title, attributes, neutralised. ``late``: whether some event arrives after its event_time; then
    the newest events are not a range of ranks and each snapshot looks at all the user's known events.
    Returns the columns of user_histories without policy, run_id and created_time.
    """
    told = ranked.join(F.broadcast(items.select("item_id", "title", "attributes")), "item_id", "left").withColumns(
        {"title": _title(settings.max_title_chars), "attributes": _attributes()}
    )
    with_events = _with_late_events if late else _with_ranked_events
    grouped = with_events(snapshots, told, settings.last_n)
    return (
        grouped.withColumns({"liked": _titles(1, settings.listed), "disliked": _titles(0, settings.listed)})
        # Columns of their own: inlined, they would be flattened anew for every attribute that is counted.
        .withColumns({"liked_names": _named(1), "disliked_names": _named(0)})
        .withColumn("tallies", _tallies(settings.tallied))
        .withColumns({"prompt_body": template.body(), "template_version": F.lit(template.version)})
        .withColumn("prompt_key", key_of("user_id", "template_version", "prompt_body"))
        .drop("events", "liked_names", "disliked_names")
    )


def drop_unchanged(new: DataFrame, stored: DataFrame) -> DataFrame:
    """Keep the histories whose prompt differs from the user's previous one, in ``new`` or already in ``stored``.

    The feature table changes slowly: a snapshot whose prompt did not change is not written again.
    """
    of_user = Window.partitionBy("user_id").orderBy("as_of", "_new")
    line = new.withColumn("_new", F.lit(1)).unionByName(
        stored.select("user_id", "as_of", "prompt_key").withColumn("_new", F.lit(0)), allowMissingColumns=True
    )
    changed = ~F.col("prompt_key").eqNullSafe(F.lag("prompt_key").over(of_user))
    return line.withColumn("_changed", changed).where("_new = 1 AND _changed").drop("_new", "_changed")


def in_scope(users: DataFrame, max_users: int | None) -> DataFrame:
    """The users (user_id) that RecCoTs are made for: all, or the ``max_users`` smallest by sha256 of user_id."""
    users = users.select("user_id").distinct()
    return users if max_users is None else users.orderBy(F.sha2("user_id", 256)).limit(max_users)


def _counts() -> list[Column]:
    return [
        F.max("rank").alias("n_events"),
        F.max("liked_so_far").alias("n_liked"),
        F.max("newest_so_far").alias("source_max_time"),
    ]


def _with_ranked_events(snapshots: DataFrame, told: DataFrame, last_n: int) -> DataFrame:
    """Add ``events``, the newest ``last_n`` where nothing arrives late: the ranks (n_events - last_n, n_events].

    Each user's events are cut into blocks of ``last_n`` ranks; a snapshot's events lie in the block of its last event
    and the one before, so its row meets those two arrays and takes a slice. Joining events one by one instead moved
    each event to every snapshot that shows it and took twice as long (docs/experiments.md).
    """
    event = F.struct("rank", "label", "title", "attributes")
    blocks = (
        told.withColumn("block", F.expr(f"(rank - 1) div {last_n}"))
        .groupBy("user_id", "block")
        .agg(F.sort_array(F.collect_list(event)).alias("events"))
    )
    before = F.lag("events").over(Window.partitionBy("user_id").orderBy("block"))
    none = F.array().cast(blocks.schema["events"].dataType)
    pairs = blocks.withColumn("events", F.concat(F.coalesce(before, none), "events"))
    length = F.least("n_events", F.lit(last_n))
    skipped = F.col("n_events") - length - F.greatest(F.col("block") - 1, F.lit(0)) * last_n
    return (
        snapshots.withColumn("block", F.expr(f"(n_events - 1) div {last_n}"))
        .join(pairs, ["user_id", "block"])
        .withColumn("events", F.slice("events", (skipped + 1).cast("int"), length.cast("int")))
        .drop("block")
    )


def _with_late_events(snapshots: DataFrame, told: DataFrame, last_n: int) -> DataFrame:
    """Add ``events``, the newest ``last_n`` by event_time of all that the user's log held at each snapshot."""
    event = F.struct("event_time", "item_id", "label", "title", "attributes")
    known = snapshots.join(told.drop("liked_so_far", "newest_so_far", "known_time"), "user_id").where(
        "rank <= n_events"
    )
    grouped = known.groupBy(*snapshots.columns).agg(F.sort_array(F.collect_list(event)).alias("events"))
    return grouped.withColumn("events", _last("events", last_n))


def _title(max_chars: int) -> Column:
    """The title, or for an item that the catalogue lacks its id: untrusted text too."""
    return F.coalesce("title", neutralise(F.concat(F.lit("item "), F.col("item_id")), max_chars))


def _attributes() -> Column:
    return F.coalesce("attributes", F.array().cast("array<string>"))


def _titles(label: int, listed: int) -> Column:
    of_label = F.filter("events", lambda e: e["label"] == label)
    return _last(F.transform(of_label, lambda e: e["title"]), listed)


def _last(values: Column | str, n: int) -> Column:
    return F.slice(values, F.greatest(F.size(values) - n, F.lit(0)) + 1, n)


def _named(label: int) -> Column:
    """Attributes of the events with this label, repeated as often as they occur."""
    of_label = F.filter("events", lambda e: e["label"] == label)
    return F.flatten(F.transform(of_label, lambda e: e["attributes"]))


def _tallies(tallied: int) -> Column:
    def count(name: Column, names: str) -> Column:
        # Not size(filter(...)): its lambda is interpreted for every pair of names.
        return F.size(F.col(names)) - F.size(F.array_remove(F.col(names), name))

    counted = F.transform(
        F.array_distinct(F.concat("liked_names", "disliked_names")),
        lambda a: F.struct(
            a.alias("attribute"), count(a, "liked_names").alias("liked"), count(a, "disliked_names").alias("disliked")
        ),
    )
    # Sorted by how often, most first, then by name: negated counts sort ascending together with the name.
    ranked = F.transform(
        counted,
        lambda t: F.struct((-t["liked"] - t["disliked"]).alias("order"), t["attribute"], t["liked"], t["disliked"]),
    )
    top = F.slice(F.sort_array(ranked), 1, tallied)
    return F.transform(top, lambda t: F.struct(t["attribute"], t["liked"], t["disliked"]))


def current_histories(stored: DataFrame, template_version: str) -> DataFrame:
    """Of ``user_histories`` one row a (user_id, as_of): the one written last under this template version.

    Two rows differ there only when the source changed under a snapshot, e.g. a corrected title.
    """
    newest = Window.partitionBy("user_id", "as_of").orderBy(F.desc("created_time"), "prompt_key")
    of_template = stored.where(F.col("template_version") == template_version)
    return of_template.withColumn("_age", F.row_number().over(newest)).where("_age = 1").drop("_age")
