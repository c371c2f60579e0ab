"""Why RecCoTs are pending: news of the user, another template, another G, or a night that was not finished."""

from __future__ import annotations

from datetime import datetime

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

CAUSES = ("news", "template", "model", "backlog")


def pending_by_cause(
    pending: DataFrame, texts: DataFrame, histories: DataFrame, template_version: str, night: datetime | None
) -> dict[str, int]:
    """Number of ``pending`` requests (prompt_key, user_id, as_of) by cause, one each.

    model: there is a text of their prompt, by another G or sampling (``texts``: prompt_key). backlog: a night before
    ``night`` left them (None: there are no nights). template: the user's first history under ``template_version`` of a
    user who has some under another (``histories``: user_id, as_of, template_version). news: what is left.
    """
    known = texts.select("prompt_key").distinct().withColumn("_known", F.lit(True))
    current = F.col("template_version") == template_version
    of_user = histories.groupBy("user_id").agg(
        F.min(F.when(current, F.col("as_of"))).alias("_first"), F.bool_or(~current).alias("_other_template")
    )
    before = F.lit(False) if night is None else F.col("as_of") < F.lit(night)
    cause = (
        F.when(F.col("_known"), "model")
        .when(before, "backlog")
        .when(F.col("_other_template") & (F.col("as_of") == F.col("_first")), "template")
        .otherwise("news")
    )
    joined = pending.join(known, "prompt_key", "left").join(of_user, "user_id", "left")
    counts = {row["cause"]: row["count"] for row in joined.groupBy(cause.alias("cause")).count().collect()}
    return {cause: counts.get(cause, 0) for cause in CAUSES}
