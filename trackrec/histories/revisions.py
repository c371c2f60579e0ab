"""A snapshot that is written again: which revision it is, and that what was published stays as it was."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F


def with_revision(changed: DataFrame, current: DataFrame) -> DataFrame:
    """``changed`` with ``revision``: one more than that of the user's ``current`` row of the same as_of, else 1.

    A sequence and no clock: a title that changes from A to B and back is A again, though A's row was there before B's.
    """
    before = current.select("user_id", "as_of", F.col("revision").alias("_before"))
    joined = changed.join(before, ["user_id", "as_of"], "left")
    return joined.withColumn("revision", F.coalesce("_before", F.lit(0)) + 1).drop("_before")


def published_histories(current: DataFrame, vectors: DataFrame, policy: str) -> DataFrame:
    """user_id, as_of of the ``current`` histories of ``policy`` that consumers may have read.

    ``vectors``: user_id, as_of of ``reccot_vectors``.
    """
    of_policy = current.where(F.col("policy") == policy).select("user_id", "as_of")
    return of_policy.join(vectors.select("user_id", "as_of"), ["user_id", "as_of"], "left_semi")


def mark_past(snapshots: DataFrame, published: DataFrame, *, between: bool) -> DataFrame:
    """``snapshots`` with ``past``: whether one takes the place of a published one or, if asked, lies ``between`` two.

    What such a one holds otherwise than then became known afterwards, by a late event or a corrected title: what is
    trained on it was not so when it was served. Snapshots before a user's first published one, of an earlier window,
    are not of this past.
    """
    of_user = published.groupBy("user_id").agg(
        F.min("as_of").alias("_first"), F.max("as_of").alias("_last"), F.collect_set("as_of").alias("_published")
    )
    past = F.array_contains("_published", F.col("as_of"))
    if between:
        past = past | ((F.col("as_of") > F.col("_first")) & (F.col("as_of") < F.col("_last")))
    joined = snapshots.join(of_user, "user_id", "left")
    return joined.withColumn("past", F.coalesce(past, F.lit(False))).drop("_first", "_last", "_published")
