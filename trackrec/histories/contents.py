"""What a snapshot shows of its user: the newest events as lists and tallies, and the prompt of them.

Spark expressions only, no Python UDF: these stages run wide on CPU executors.
"""

from __future__ import annotations

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from trackrec.histories.prompts import prompt_body
from trackrec.histories.shares import FEWEST_EVENTS, PRIOR_EVENTS
from trackrec.histories.templates import Template
from trackrec.histories.untrusted import title_or_id
from trackrec.runtime.settings import HistorySettings
from trackrec.tables.keys import key_of

_SIDES = {"above": 1, "below": -1}


def fill_snapshots(
    snapshots: DataFrame,
    ranked: DataFrame,
    items: DataFrame,
    settings: HistorySettings,
    template: Template,
    *,
    late: bool,
) -> DataFrame:
    """Fill snapshots with lists, tallies, prompt_body and prompt_key.

    ``ranked``: as from ``rank_events``; ``items``: item_id, title, attributes, neutralised, and marked for
    broadcast where they are few. ``late``: whether some event arrives after its event_time; then the newest events are
    not a range of ranks and each snapshot looks at all the user's known events. Returns the columns of user_histories
    without policy, run_id and created_time.
    """
    titled = ranked.join(items.select("item_id", "title", "attributes"), "item_id", "left").withColumns(
        {
            "title": title_or_id(F.col("title"), settings.max_title_chars),
            "attributes": F.coalesce("attributes", F.array().cast("array<string>")),
        }
    )
    with_events = _with_late_events if late else _with_ranked_events
    return (
        with_events(snapshots, titled, settings.last_n)
        .withColumns({"liked": _titles(1, settings.listed), "disliked": _titles(0, settings.listed)})
        # Columns of their own: inlined, they would be flattened anew for every attribute that is counted.
        .withColumns({"liked_attributes": _attributes(1), "disliked_attributes": _attributes(0)})
        .withColumns({"counted": _counted(), **_shown(template)})
        .withColumns({"tallies": _tallies(settings.tallied), **_standing_out(settings.tallied, template)})
        .withColumns({"prompt_body": prompt_body(template), "template_version": F.lit(template.version)})
        .withColumn("prompt_key", key_of("user_id", "template_version", "prompt_body"))
        .drop("events", "liked_attributes", "disliked_attributes", "counted")
    )


def _with_ranked_events(snapshots: DataFrame, titled: DataFrame, last_n: int) -> DataFrame:
    """Add ``events``, the newest ``last_n`` where nothing arrives late: the ranks (n_events - last_n, n_events].

    Each user's events are cut into blocks of ``last_n`` ranks; a snapshot's events lie in the block of its last event
    and the one before, so its row meets those two arrays and takes a slice. Joining events one by one instead moved
    each event to every snapshot that shows it and took twice as long.
    """
    event = F.struct("rank", "label", "title", "attributes")
    blocks = (
        titled.withColumn("block", F.expr(f"(rank - 1) div {last_n}"))
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


def _with_late_events(snapshots: DataFrame, titled: DataFrame, last_n: int) -> DataFrame:
    """Add ``events``, the newest ``last_n`` by event_time of all that the user's log held at each snapshot."""
    event = F.struct("event_time", "item_id", "label", "title", "attributes")
    in_log = snapshots.join(titled.drop("liked_so_far", "newest_so_far", "known_time"), "user_id").where(
        "rank <= n_events"
    )
    grouped = in_log.groupBy(*snapshots.columns).agg(F.sort_array(F.collect_list(event)).alias("events"))
    return grouped.withColumn("events", _last("events", last_n))


def _titles(label: int, listed: int) -> Column:
    return _last(F.transform(_events(label), lambda e: e["title"]), listed)


def _attributes(label: int) -> Column:
    """Attributes of the events with this label, repeated as often as they occur."""
    return F.flatten(F.transform(_events(label), lambda e: e["attributes"]))


def _events(label: int) -> Column:
    return F.filter("events", lambda e: e["label"] == label)


def _last(values: Column | str, n: int) -> Column:
    return F.slice(values, F.greatest(F.size(values) - n, F.lit(0)) + 1, n)


def _counted() -> Column:
    """Of every attribute of the events how often liked and not."""

    def count(attribute: Column, repeated: str) -> Column:
        # Not size(filter(...)): its lambda is interpreted for every pair of attributes.
        return F.size(F.col(repeated)) - F.size(F.array_remove(F.col(repeated), attribute))

    return F.transform(
        F.array_distinct(F.concat("liked_attributes", "disliked_attributes")),
        lambda a: F.struct(
            a.alias("attribute"),
            count(a, "liked_attributes").alias("liked"),
            count(a, "disliked_attributes").alias("disliked"),
        ),
    )


def _tallies(tallied: int) -> Column:
    # Sorted by how often, most first, then by name: negated counts sort ascending together with the name.
    ordered = F.transform(
        "counted",
        lambda t: F.struct((-t["liked"] - t["disliked"]).alias("order"), t["attribute"], t["liked"], t["disliked"]),
    )
    return _first(ordered, tallied)


def _shown(template: Template) -> dict[str, Column]:
    """shown_events and shown_liked: how many events the lists and counts are of, and how many of these were liked."""
    shown = {"shown_events": F.size("events"), "shown_liked": F.size(_events(1))}
    return {name: value if template.shows_shares else F.lit(None).cast("int") for name, value in shown.items()}


def _standing_out(most: int, template: Template) -> dict[str, Column]:
    """above and below: the attributes that are liked clearly more, or less, than all events shown.

    Clearly: |z| >= 1, where z = (liked - share * events) / sqrt(share * (1 - share) * (events + PRIOR_EVENTS)). That is
    the binomial z of the attribute's share of likes shrunk to the usual share as if by so many more events at that
    share, so an attribute of two events hardly ever stands out; and of no fewer than FEWEST_EVENTS. Compared in whole
    numbers, squared and times shown_events squared: exact, the same everywhere. At most ``most`` of each, largest |z|
    first, then by name. docs/decisions/0010 has the why.
    """
    if not template.shows_shares:
        return {side: F.lit(None).cast("array<struct<attribute:string,liked:int,disliked:int>>") for side in _SIDES}
    return {side: _clearly(sign, most) for side, sign in _SIDES.items()}


def _clearly(sign: int, most: int) -> Column:
    events, liked = F.col("shown_events").cast("bigint"), F.col("shown_liked").cast("bigint")

    def lift(t: Column) -> Column:
        return t["liked"] * events - liked * (t["liked"] + t["disliked"])

    def stands_out(t: Column) -> Column:
        total = t["liked"] + t["disliked"]
        is_clear = lift(t) * lift(t) >= liked * (events - liked) * (total + PRIOR_EVENTS)
        return (total >= FEWEST_EVENTS) & (lift(t) * sign > 0) & is_clear

    ordered = F.transform(
        F.filter("counted", stands_out),
        lambda t: F.struct(
            (-lift(t) * lift(t) / (t["liked"] + t["disliked"] + PRIOR_EVENTS)).alias("order"),
            t["attribute"],
            t["liked"],
            t["disliked"],
        ),
    )
    return _first(ordered, most)


def _first(ordered: Column, n: int) -> Column:
    """The ``n`` smallest by order, attribute, without the order."""
    return F.transform(
        F.slice(F.sort_array(ordered), 1, n), lambda t: F.struct(t["attribute"], t["liked"], t["disliked"])
    )
