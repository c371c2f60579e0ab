"""Whose history may be another than last night: users whose log changed, grew older by an event, or met a changed item.

A digest of each user's rows is compared with the one of the last night that read them. So an event that arrives late, a
rating that is corrected and one that is taken back are found like a new one, by what the log says and not by a clock.
Exact but for collisions: two hashes of 64 and 33 bits and the number of rows have to agree. One pass over the log that
does not sort it, and joins it with nothing but the items that changed; only rows of users with news go on into windows,
lists and prompts.
"""

from __future__ import annotations

from datetime import datetime

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from trackrec.tables.keys import row_hash

_OF_ITEM = ("title", "titled", "attributes", "year", "description")


def user_logs(
    checked: DataFrame, night: datetime, since: datetime | None, changed_items: DataFrame | None
) -> DataFrame:
    """One row a user of the log, "" for rows without one.

    ``checked``: as from ``checked_interactions``. ``since``: the last night; events that became known from then on are
    new to ``night`` even where the log held them before. Returns user_id, digest, rows, faulty, first_time and
    newest_time (of what was known before ``night``; NULL: nothing was), is_fresh, met_changed (an item of
    ``changed_items``).
    """
    usable = F.col("reason").isNull()
    before = usable & (F.col("known_time") < F.lit(night))
    if changed_items is None:
        marked = checked.withColumn("_changed", F.lit(False))
    else:
        ids = changed_items.select("item_id").withColumn("_changed", F.lit(True))
        marked = checked.join(ids, "item_id", "left").withColumn("_changed", F.coalesce("_changed", F.lit(False)))
    fresh = F.lit(False) if since is None else before & (F.col("known_time") >= F.lit(since))
    digest = F.concat_ws(
        "-",
        F.count("*"),
        F.hex(F.bit_xor("row_hash")),  # alone blind to two equal rows that become two other equal ones
        F.sum(F.shiftright("row_hash", 31)),  # 33 bits: sums of a billion rows fit
    )
    return marked.groupBy(F.coalesce("user_id", F.lit("")).alias("user_id")).agg(
        digest.alias("digest"),
        F.count("*").alias("rows"),
        F.count_if(~usable).alias("faulty"),
        F.min(F.when(usable, F.col("known_time"))).alias("first_time"),
        F.max(F.when(before, F.col("known_time"))).alias("newest_time"),
        F.bool_or(F.coalesce(fresh, F.lit(False))).alias("is_fresh"),
        F.bool_or("_changed").alias("met_changed"),
    )


def users_with_news(logs: DataFrame, stored: DataFrame) -> DataFrame:
    """user_id of the ``logs`` that differ from ``log_digests`` as ``stored``, are fresh, or met a changed item."""
    before = stored.select("user_id", F.col("digest").alias("_before"))
    news = ~F.col("digest").eqNullSafe(F.col("_before")) | F.col("is_fresh") | F.col("met_changed")
    return logs.join(before, "user_id", "left").where(news).select("user_id")


def item_digests(items: DataFrame) -> DataFrame:
    """item_id, digest of each item: rows as from ``clean_items``."""
    return items.select("item_id", F.hex(row_hash(*_OF_ITEM)).alias("digest"))


def changed_items(digests: DataFrame, stored: DataFrame) -> DataFrame:
    """item_id, digest of items that are new, others than in ``item_digests`` as ``stored``, or gone (digest "")."""
    before = stored.select("item_id", F.col("digest").alias("_before"))
    joined = digests.join(before, "item_id", "full")
    now = F.coalesce("digest", F.lit(""))
    return joined.where(~now.eqNullSafe(F.col("_before"))).select("item_id", now.alias("digest"))
