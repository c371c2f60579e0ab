"""What V is asked: every candidate RecCoT against what its user did next."""

from __future__ import annotations

from datetime import datetime

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from trackrec.histories.prompts import ValidatorTemplate
from trackrec.histories.text import neutralise
from trackrec.tables.keys import key_of

EVENT = ("row_key", "item_id", "event_time")


def next_events(snapshots: DataFrame, samples: DataFrame, *, before: datetime, count: int) -> DataFrame:
    """The first ``count`` events of a snapshot's user from its as_of on, in the alignment window and before ``before``.

    ``snapshots``: user_id, as_of; ``samples``: user_id, item_id, event_time, label, window. Returns user_id, as_of,
    item_id, event_time, label. A snapshot with no such event has no row.
    """
    events = samples.where((F.col("window") == "alignment") & (F.col("event_time") < F.lit(before)))
    later = (
        snapshots.select("user_id", "as_of")
        .distinct()
        .join(events.select("user_id", "item_id", "event_time", "label"), "user_id")
    )
    order = Window.partitionBy("user_id", "as_of").orderBy("event_time", "item_id")
    return (
        later.where("event_time >= as_of")
        .withColumn("_number", F.row_number().over(order))
        .where(F.col("_number") <= count)
        .drop("_number")
    )


def score_requests(
    candidates: DataFrame, histories: DataFrame, events: DataFrame, items: DataFrame, template: ValidatorTemplate
) -> DataFrame:
    """One request a candidate and event: request_key, prompt_body, and the key columns of ``validations``.

    ``candidates``: row_key, prompt_key, user_id, as_of, text; ``histories``: prompt_key, prompt_body; ``events`` as
    from ``next_events``; ``items``: item_id, title, attributes, neutralised.
    """
    told = histories.groupBy("prompt_key").agg(F.min("prompt_body").alias("prompt_body"))
    named = items.select("item_id", "title", "attributes")
    asked = (
        candidates.withColumnRenamed("text", "reccot")
        .join(events, ["user_id", "as_of"])
        .join(told, "prompt_key")
        .join(F.broadcast(named), "item_id", "left")
        .withColumn("title", F.coalesce("title", neutralise(F.concat(F.lit("item "), F.col("item_id")), 80)))
    )
    return asked.select(
        key_of(*EVENT).alias("request_key"), *EVENT, "user_id", "prompt_key", "as_of", "label",
        template.body().alias("prompt_body"),
    )  # fmt: skip


def unscored(requests: DataFrame, validations: DataFrame, validator_version: str) -> DataFrame:
    """The requests that this version of V has not answered yet."""
    done = validations.where(F.col("validator_version") == validator_version)
    return requests.join(done.select(*EVENT), list(EVENT), "left_anti")


def grouped(requests: DataFrame, engines: int) -> DataFrame:
    """One partition an engine; requests of one history together and in prefix order, so that the cache serves them."""
    slot = F.conv(F.substring("prompt_key", 1, 8), 16, 10).cast("bigint") % engines
    return (
        requests.withColumn("_slot", slot.cast("int"))
        .repartitionById(engines, F.col("_slot"))
        .sortWithinPartitions("prompt_key", "row_key", "event_time", "item_id")
        .drop("_slot")
    )
