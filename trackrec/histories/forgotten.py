"""Users who asked to be forgotten: what is read of them again is dropped before anything else sees it."""

from __future__ import annotations

from dataclasses import replace

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from trackrec.histories.sources.reader import Sources


def trimmed_id(user_id: Column) -> Column:
    """A user's id as the reader of sources has it."""
    return F.btrim(user_id.cast("string"), F.lit(" \t\r\n"))


def user_hash(user_id: Column) -> Column:
    """What ``forgotten_users`` holds of a user: sha256 of the trimmed id."""
    return F.sha2(trimmed_id(user_id), 256)


def without_forgotten(sources: Sources, forgotten: DataFrame) -> Sources:
    """``sources`` without the events and the rows of users in ``forgotten`` (user_hash); NULL ids stay."""

    def kept(rows: DataFrame) -> DataFrame:
        hashed = rows.withColumn("user_hash", user_hash(F.col("user_id")))
        return hashed.join(F.broadcast(forgotten.select("user_hash")), "user_hash", "left_anti").drop("user_hash")

    users = None if sources.users is None else kept(sources.users)
    return replace(sources, interactions=kept(sources.interactions), users=users)
