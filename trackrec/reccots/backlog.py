"""Which histories a night asks G about: its own, and those that an unfinished night left without any text."""

from __future__ import annotations

from datetime import datetime

from pyspark.sql import DataFrame
from pyspark.sql import functions as F


def histories_of_night(histories: DataFrame, texts: DataFrame, night: datetime) -> DataFrame:
    """Of ``histories`` (user_id, as_of, prompt_key, …) those of ``night``, and the backlog of nights before.

    In the backlog is a user's newest history if no G has written about it: the night that made it was not finished, and
    as nothing has changed since, no later night makes another. ``texts``: prompt_key of what was ever written. What
    another G wrote about, or a newer history took the place of, is left out: after a change of model or sampling a
    night else pays for all nights before it, as of training data.
    """
    own = histories.where(F.col("as_of") == F.lit(night))
    newest = histories.groupBy("user_id").agg(F.max("as_of").alias("as_of"))
    before = histories.where(F.col("as_of") < F.lit(night)).join(newest, ["user_id", "as_of"], "left_semi")
    return own.unionByName(before.join(texts.select("prompt_key"), "prompt_key", "left_anti").select(*own.columns))
