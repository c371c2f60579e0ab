"""V's probabilities → rewards of candidates → preferences: which RecCoT of a history G should have written.

reward(candidate) = mean over the scored events of its snapshot of p(Yes) where the user liked the item, 1 − p(Yes)
where not (TrackRec, arXiv 2508.15388, with V's probability as the judge). One preference a history: the candidate with
the largest reward is chosen, the others are rejected.
"""

from __future__ import annotations

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from trackrec.feedback.verdicts import ALL_EMPTY, KEPT, NOT_SCORED, ONE_DISTINCT, SMALL_GAP
from trackrec.runtime.settings import FeedbackSettings


def rewards(validations: DataFrame) -> DataFrame:
    """row_key, reward (0 … 1), n_scored: the mean over a candidate's scored events.

    ``validations``: row_key, label, p_yes; of one V version.
    """
    agreed = F.when(F.col("label") == 1, F.col("p_yes")).otherwise(1 - F.col("p_yes"))
    return validations.groupBy("row_key").agg(F.avg(agreed).alias("reward"), F.count("*").alias("n_scored"))


def ranked_groups(candidates: DataFrame, scored: DataFrame, settings: FeedbackSettings) -> DataFrame:
    """One row a history: prompt_key, user_id, ranked candidates (best first), gap, and ``verdict``: kept or why not.

    ``candidates``: prompt_key, user_id, row_key, sample_number, status, text of one generator version and sampling;
    ``scored``: as from ``rewards``. Empty candidates and repeated texts (all but the first sample) do not count. A
    group is dropped for one of ``verdicts.DROPPED``: NOT_SCORED also where V answered fewer events about a candidate
    than about another, as means over other events cannot be compared.
    """
    again = Window.partitionBy("prompt_key", "text").orderBy("sample_number")
    distinct = (
        candidates.where("status IN ('ok', 'cut')")
        .withColumn("_repeat", F.row_number().over(again))
        .where("_repeat = 1")
        .join(scored, "row_key", "left")
    )
    # Sorted by reward, then by sample number: equal rewards rank the same way on every partitioning.
    entry = F.struct(
        F.negative(F.coalesce("reward", F.lit(-1.0))).alias("order"),
        "sample_number",
        "row_key",
        "text",
        (F.col("status") == "ok").alias("ended"),
        "reward",
        "n_scored",
    )
    ranked = distinct.groupBy("prompt_key").agg(F.sort_array(F.collect_list(entry)).alias("ranked"))
    users = candidates.groupBy("prompt_key").agg(F.first("user_id").alias("user_id"))
    none = F.array().cast(ranked.schema["ranked"].dataType)
    return (
        users.join(ranked, "prompt_key", "left")
        .withColumn("ranked", F.coalesce("ranked", none))
        .withColumn("gap", F.get("ranked", F.lit(0))["reward"] - F.try_element_at("ranked", F.lit(-1))["reward"])
        .withColumn("verdict", _verdict(settings))
    )


def _verdict(settings: FeedbackSettings) -> Column:
    count = F.size("ranked")
    events = F.transform("ranked", lambda c: F.coalesce(c["n_scored"], F.lit(0)))
    unscored = (F.array_min(events) == 0) | (F.array_min(events) < F.array_max(events))
    return (
        F.when(count == 0, ALL_EMPTY)
        .when(count == 1, ONE_DISTINCT)
        .when(unscored, NOT_SCORED)
        .when(F.col("gap") < settings.min_gap, SMALL_GAP)
        .otherwise(KEPT)
    )


def preferences(groups: DataFrame, settings: FeedbackSettings) -> DataFrame:
    """The kept groups as rows of ``preferences``: prompt_key, user_id, chosen, rejected, gap.

    chosen: struct<row_key, text, ended, reward>, ``ended`` being whether G stopped by itself; rejected: array of
    these, worst last: all others, or the ``rejected`` lowest where the settings say how many.
    """
    kept = groups.where(F.col("verdict") == KEPT)
    entries = F.transform("ranked", lambda c: F.struct(c["row_key"], c["text"], c["ended"], c["reward"]))
    kept = kept.withColumn("entries", entries)
    others = F.slice("entries", 2, 1_000_000)
    if settings.rejected is not None:
        lowest = F.greatest(F.lit(2), F.size("entries") - settings.rejected + 1)
        others = F.slice("entries", lowest, settings.rejected)
    return kept.select(
        "prompt_key", "user_id", F.element_at("entries", 1).alias("chosen"), others.alias("rejected"), "gap"
    )
