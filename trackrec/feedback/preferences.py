"""Rewards of candidates → preferences: which RecCoT of a history G should have written.

One preference a history: the candidate with the largest reward is chosen, the others are rejected. Candidates that
max_tokens cut do not compete: they have no end token, and chosen or rejected they would teach G when to stop.
"""

from __future__ import annotations

from collections.abc import Mapping

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from trackrec.feedback.length import without_length
from trackrec.feedback.rewards import HALVES, MIN_GAPS, OF_PAIRS, min_gap
from trackrec.feedback.verdicts import (
    ALL_CUT,
    ALL_EMPTY,
    FEW_EVENTS,
    KEPT,
    NOT_SCORED,
    ONE_DISTINCT,
    ONE_LABEL,
    SMALL_GAP,
)
from trackrec.runtime.settings import FeedbackSettings

_ROUNDING = 1e-9  # of rewards: means over the same events in another order


def candidate_groups(candidates: DataFrame, scored: DataFrame, settings: FeedbackSettings) -> DataFrame:
    """One row a history: prompt_key, user_id, n_cut, candidates, reward_kind, ``verdict`` (kept: can be compared).

    ``candidates``: prompt_key, user_id, row_key, sample_number, status, text, output_tokens of one generator version
    and sampling; ``scored``: as from ``rewards``, HALVES too. Those that compete ended by themselves; of a repeated
    text the first sample. A group is dropped for one of ``verdicts.DROPPED``: NOT_SCORED also where V answered other
    events about a candidate than about another, be they as many, as means over other events cannot be compared.
    """
    again = Window.partitionBy("prompt_key", "text").orderBy("sample_number")
    distinct = (
        candidates.where("status = 'ok'")
        .withColumn("_repeat", F.row_number().over(again))
        .where("_repeat = 1")
        .join(scored, "row_key", "left")
    )
    entry = F.struct(
        "sample_number",
        "row_key",
        "text",
        F.lit(True).alias("ended"),
        F.col("output_tokens").alias("tokens"),
        "reward",
        F.col("reward").alias("raw"),
        F.coalesce("n_scored", F.lit(0)).alias("n_scored"),
        "events_hash",
        "reward_kind",
        *HALVES,
    )
    competing = distinct.groupBy("prompt_key").agg(F.sort_array(F.collect_list(entry)).alias("candidates"))
    is_cut = (F.col("status") == "cut").cast("int")
    users = candidates.groupBy("prompt_key").agg(F.first("user_id").alias("user_id"), F.sum(is_cut).alias("n_cut"))
    none = F.array().cast(competing.schema["candidates"].dataType)
    return (
        users.join(competing, "prompt_key", "left")
        .withColumn("candidates", F.coalesce("candidates", none))
        .withColumn("reward_kind", F.get("candidates", F.lit(0))["reward_kind"])
        .withColumn("verdict", _comparable(settings))
    )


def _comparable(settings: FeedbackSettings) -> Column:
    """KEPT, or why the candidates of a group cannot be compared."""
    count = F.size("candidates")
    events = F.transform("candidates", lambda c: c["n_scored"])
    kinds = F.array_distinct(F.transform("candidates", lambda c: c["reward_kind"]))
    others = F.size(F.array_distinct(F.transform("candidates", lambda c: c["events_hash"]))) > 1
    unscored = (F.array_min(events) == 0) | others | (F.size(kinds) > 1)
    no_reward = F.exists("candidates", lambda c: c["reward"].isNull())
    no_pair = ONE_LABEL if settings.reward in OF_PAIRS and settings.one_label == "drop" else NOT_SCORED
    return (
        F.when((count == 0) & (F.col("n_cut") > 0), ALL_CUT)
        .when(count == 0, ALL_EMPTY)
        .when(count == 1, ONE_DISTINCT)
        .when(unscored, NOT_SCORED)
        .when(F.array_min(events) < settings.min_events, FEW_EVENTS)
        .when(no_reward, no_pair)
        .otherwise(KEPT)
    )


def ranked_groups(
    groups: DataFrame, settings: FeedbackSettings, slopes: Mapping[str, float] | None = None
) -> DataFrame:
    """``groups`` with ranked (their candidates, best first), gap, and the verdict SMALL_GAP where V sees no difference.

    ``groups`` as from ``candidate_groups``; ``slopes``: reward a token of the kinds of reward that length is taken out
    of. gap is NULL where the candidates cannot be compared.
    """
    # Sorted by reward, then by sample number: equal rewards rank the same way on every partitioning.
    ordered = F.transform("candidates", lambda c: F.struct((-c["reward"]).alias("order"), c.alias("candidate")))
    ranked = F.transform(F.sort_array(ordered), lambda c: c["candidate"])
    gap = F.get("ranked", F.lit(0))["reward"] - F.try_element_at("ranked", F.lit(-1))["reward"]
    comparable = F.col("verdict") == KEPT
    no_worse = F.size(_worse()) == 0
    return (
        without_length(groups, slopes or {})
        .withColumn("ranked", ranked)
        .withColumn("gap", F.when(comparable, gap))
        .withColumn(
            "verdict",
            F.when(comparable & ((F.col("gap") < _min_gap(settings)) | no_worse), SMALL_GAP).otherwise(
                F.col("verdict")
            ),
        )
        .drop("candidates")
    )


def _worse() -> Column:
    """The ranked candidates whose reward is another than the best one's, before length was taken out.

    A V that counts gives texts that name the same attributes the same reward: neither is the better one.
    """
    best = F.get("ranked", F.lit(0))["raw"]
    return F.filter(F.slice("ranked", 2, 1_000_000), lambda c: F.abs(c["raw"] - best) > _ROUNDING)


def _min_gap(settings: FeedbackSettings) -> Column:
    smallest = F.lit(min_gap(settings, settings.reward))
    for kind in MIN_GAPS:
        smallest = F.when(F.col("reward_kind") == kind, F.lit(min_gap(settings, kind))).otherwise(smallest)
    return smallest


def preferences(groups: DataFrame, settings: FeedbackSettings) -> DataFrame:
    """The kept groups as rows of ``preferences``: prompt_key, user_id, chosen, rejected, gap, reward_kind, raw_rewards.

    ``groups`` as from ``ranked_groups``. chosen: struct<row_key, text, ended, reward>, ``ended`` being whether G
    stopped by itself; rejected: array of these, worst last: all that V judges otherwise, or the ``rejected`` lowest of
    them where the settings say how many. raw_rewards: of the chosen one and of these, before length was taken out;
    NULL where it was not.
    """
    kept = groups.where(F.col("verdict") == KEPT)
    others = _worse()
    if settings.rejected is not None:
        lowest = F.greatest(F.lit(1), F.size(others) - settings.rejected + 1)
        others = F.slice(others, lowest, settings.rejected)
    taken = F.concat(F.slice("ranked", 1, 1), others)
    changed = F.exists("ranked", lambda c: c["raw"] != c["reward"])
    entries = F.transform(taken, lambda c: F.struct(c["row_key"], c["text"], c["ended"], c["reward"]))
    return kept.select(
        "prompt_key",
        "user_id",
        F.element_at(entries, 1).alias("chosen"),
        F.slice(entries, 2, 1_000_000).alias("rejected"),
        "gap",
        "reward_kind",
        F.when(changed, F.transform(taken, lambda c: c["raw"])).alias("raw_rewards"),
    )
