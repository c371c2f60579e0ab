"""Which snapshots of which users there are: ranks of events, refresh policies, and what is stored already.

Spark expressions only, no Python UDF: these stages run wide on CPU executors. An event is known from ``known_time``
(its event_time, or later where it arrived late). Order within a user: (known_time, event_time, item_id).
"""

from __future__ import annotations

from datetime import datetime

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F


def rank_events(events: DataFrame) -> DataFrame:
    """Number each user's events in the order they became known, with running counts.

    In: user_id, item_id, event_time, known_time, label. Adds rank (1…), liked_so_far, newest_so_far (timestamp).
    """
    by_known_time = Window.partitionBy("user_id").orderBy("known_time", "event_time", "item_id")
    so_far = by_known_time.rowsBetween(Window.unboundedPreceding, 0)
    return events.withColumns(
        {
            "rank": F.row_number().over(by_known_time).cast("bigint"),
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
    before = ranked.where(F.col("known_time") < F.lit(as_of))
    return before.groupBy("user_id").agg(*_counts()).withColumn("as_of", F.lit(as_of))


def _counts() -> list[Column]:
    return [
        F.max("rank").alias("n_events"),
        F.max("liked_so_far").alias("n_liked"),
        F.max("newest_so_far").alias("source_max_time"),
    ]


def in_scope(users: DataFrame, max_users: int | None) -> DataFrame:
    """The users (user_id) that RecCoTs are made for: all, or the ``max_users`` smallest by sha256 of user_id."""
    users = users.select("user_id").distinct()
    return users if max_users is None else users.orderBy(F.sha2("user_id", 256)).limit(max_users)


def drop_unchanged(new: DataFrame, stored: DataFrame) -> DataFrame:
    """Keep the histories whose prompt differs from the user's previous one, in ``new`` or already in ``stored``.

    The feature table changes slowly: a snapshot whose prompt did not change is not written again.
    """
    by_as_of = Window.partitionBy("user_id").orderBy("as_of", "_new")
    line = new.withColumn("_new", F.lit(1)).unionByName(
        stored.select("user_id", "as_of", "prompt_key").withColumn("_new", F.lit(0)), allowMissingColumns=True
    )
    changed = ~F.col("prompt_key").eqNullSafe(F.lag("prompt_key").over(by_as_of))
    return line.withColumn("_changed", changed).where("_new = 1 AND _changed").drop("_new", "_changed")


def current_histories(stored: DataFrame, template_version: str) -> DataFrame:
    """Of ``user_histories`` one row a (user_id, as_of): the one of the last revision under this template version.

    Two rows differ there only when the source changed under a snapshot, e.g. a corrected title. Rows of before there
    were revisions go by created_time, below all others.
    """
    newest = Window.partitionBy("user_id", "as_of").orderBy(
        F.desc_nulls_last("revision"), F.desc("created_time"), "prompt_key"
    )
    of_template = stored.where(F.col("template_version") == template_version)
    return of_template.withColumn("_age", F.row_number().over(newest)).where("_age = 1").drop("_age")
