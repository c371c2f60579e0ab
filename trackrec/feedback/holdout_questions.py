"""What V reads on the hold-out: the same later events with no RecCoT, with those of several G, with another user's."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import reduce

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from trackrec.feedback.metrics import NO_RECCOT, SHUFFLED
from trackrec.feedback.questions import score_requests
from trackrec.feedback.templates import ValidatorTemplate
from trackrec.tables.keys import key_of


def holdout_events(
    samples: DataFrame, histories: DataFrame, *, start: datetime, end: datetime | None, count: int
) -> DataFrame:
    """At most ``count`` events of the hold-out with the snapshot each one joins, as many of every user as there are.

    In the order of a hash each user gives one event, then each a second, and so on: no user has more than one event
    more than another who had more to give. Labels have no part in it.

    ``samples``: user_id, item_id, event_time, known_time, label, window, as_of; ``histories``: user_id, as_of,
    prompt_key, n_liked, n_events. ``start`` ≤ event_time and, where there is an ``end``, known_time < ``end``.
    Returns user_id, as_of, prompt_key, item_id, event_time, label, n_liked, n_events; events without a snapshot are
    left out.
    """
    events = samples.where((F.col("window") == "alignment") & (F.col("event_time") >= F.lit(start)))
    if end is not None:
        events = events.where(F.col("known_time") < F.lit(end))
    snapshots = histories.select("user_id", "as_of", "prompt_key", "n_liked", "n_events")
    joined = events.select("user_id", "as_of", "item_id", "event_time", "label").join(snapshots, ["user_id", "as_of"])
    by_hash = key_of("user_id", "item_id", "event_time")
    turn = F.row_number().over(Window.partitionBy("user_id").orderBy(by_hash))
    return joined.withColumn("_turn", turn).orderBy("_turn", by_hash).limit(count).drop("_turn")


def variants(events: DataFrame, reccots: Mapping[str, DataFrame]) -> dict[str, DataFrame]:
    """The events once a variant, with the RecCoT (column text, NULL: none) that V is shown.

    ``events``: as from ``holdout_events``, and fold, whose users one V judges; ``reccots``: name → prompt_key, text.
    Besides these: ``NO_RECCOT``, and ``SHUFFLED``, the last one's texts, each shown for the next user of the same fold
    in the order of a hash: what is read there is about somebody else whom that V was tuned on no more and no less.
    Events of which the other user's text is the user's own have no row there.
    """
    by_variant = {NO_RECCOT: events.withColumn("text", F.lit(None).cast("string"))}
    for name, texts in reccots.items():
        by_variant[name] = events.join(texts.select("prompt_key", "text"), "prompt_key", "left")
    last = by_variant[list(reccots)[-1]]
    users = last.groupBy("fold", "user_id").agg(F.max_by("text", "event_time").alias("newest"))
    ring = Window.partitionBy("fold").orderBy(F.sha2("user_id", 256))
    first = F.first("newest").over(ring.rowsBetween(Window.unboundedPreceding, Window.unboundedFollowing))
    shifted = users.select("user_id", F.coalesce(F.lead("newest").over(ring), first).alias("another"))
    shuffled = last.join(shifted, "user_id").where(~F.col("text").eqNullSafe(F.col("another")))
    by_variant[SHUFFLED] = shuffled.drop("text").withColumnRenamed("another", "text")
    return by_variant


def holdout_requests(
    by_variant: Mapping[str, DataFrame],
    histories: DataFrame,
    items: DataFrame,
    template: ValidatorTemplate,
    *,
    max_title_chars: int,
) -> DataFrame:
    """Requests for ``validate_udf``; the variant's name stands in row_key, which V does not see.

    ``by_variant`` as from ``variants``: a snapshot (user_id, as_of) has one prompt_key, and in each variant all of its
    events or none. So all variants' candidates are planned together, with the same events.
    """
    named = [rows.withColumn("row_key", F.lit(name)) for name, rows in by_variant.items()]
    texts = [rows.select("row_key", "prompt_key", "user_id", "as_of", "text") for rows in named]
    candidates = reduce(DataFrame.unionByName, texts).distinct()
    events = by_variant[NO_RECCOT].drop("prompt_key", "text")
    requests = score_requests(candidates, histories, events, items, template, max_title_chars=max_title_chars)
    return requests.withColumn("request_key", key_of("row_key", "user_id", "item_id", "event_time"))
