"""Users who asked to be forgotten: what is read of them again is dropped before anything else sees it."""

from __future__ import annotations

from dataclasses import replace

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from trackrec.histories.sources.reader import Sources


def user_hash(user_id: Column) -> Column:
    """What ``forgotten_users`` holds of a user: sha256 of the id, a string trimmed as ``read_table`` trims it."""
    return F.sha2(user_id, 256)


def without_forgotten(sources: Sources, forgotten: DataFrame) -> Sources:
    """``sources`` without the events and the rows of users in ``forgotten`` (user_hash); NULL ids stay."""

    def kept(rows: DataFrame) -> DataFrame:
        hashed = rows.withColumn("user_hash", user_hash(F.col("user_id")))
        return hashed.join(F.broadcast(forgotten.select("user_hash")), "user_hash", "left_anti").drop("user_hash")

    users = None if sources.users is None else kept(sources.users)
    return replace(sources, interactions=kept(sources.interactions), users=users)
