"""How far rewards follow the length of candidates within their groups, and rewards without that part.

A judge that prefers long texts teaches G to write long ones, whatever they say. The slope is one for all groups of a
run: a group of four candidates knows nothing of it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from trackrec.feedback.verdicts import KEPT

_EXACT = "decimal(38,18)"  # sums that no order of rows changes: what did not change is not to be written again


@dataclass(frozen=True)
class LengthEffect:
    """Correlation of reward and length (tokens) within groups, over all of them; ``slope``: reward a token.

    Both are NaN where all lengths or all rewards within groups are equal.
    """

    candidates: int
    corr: float
    slope: float


def length_effects(groups: DataFrame) -> dict[str, LengthEffect]:
    """reward_kind → the effect over the groups whose verdict is kept: their rewards can be compared.

    ``groups`` as from ``preferences.candidate_groups``. Each candidate's reward and tokens are taken less the mean of
    their group.
    """
    reward, tokens = _centred("reward"), _centred("tokens")
    of_group = groups.where(F.col("verdict") == KEPT).select(
        "reward_kind",
        F.size("candidates").alias("n"),
        _dot(reward, tokens).alias("rt"),
        _dot(reward, reward).alias("rr"),
        _dot(tokens, tokens).alias("tt"),
    )
    sums = of_group.groupBy("reward_kind").agg(
        F.sum("n").alias("n"),
        *(F.sum(F.col(name).cast(_EXACT)).cast("double").alias(name) for name in ("rt", "rr", "tt")),
    )
    return {row["reward_kind"]: _effect(row["n"], row["rt"], row["rr"], row["tt"]) for row in sums.collect()}


def slopes_of(effects: Mapping[str, LengthEffect], max_corr: float) -> dict[str, float]:
    """reward_kind → reward a token, of the kinds whose correlation is beyond ``max_corr``."""
    return {kind: effect.slope for kind, effect in effects.items() if abs(effect.corr) > max_corr}


def without_length(groups: DataFrame, slopes: Mapping[str, float]) -> DataFrame:
    """``groups`` with each reward less slope · (its tokens − the mean of its group); a kind without a slope stays."""
    slope = F.lit(0.0)
    for kind, value in slopes.items():
        slope = F.when(F.col("reward_kind") == kind, F.lit(value)).otherwise(slope)
    mean = _mean_of("tokens")
    reward = F.transform(
        "candidates", lambda c: c.withField("reward", c["reward"] - F.col("_slope") * (c["tokens"] - F.col("_tokens")))
    )
    adjusted = groups.withColumns({"_slope": slope, "_tokens": mean}).withColumn("candidates", reward)
    return adjusted.drop("_slope", "_tokens")


def _mean_of(field: str) -> Column:
    values = F.transform("candidates", lambda c: c[field].cast("double"))
    return F.try_divide(F.aggregate(values, F.lit(0.0), lambda total, value: total + value), F.size("candidates"))


def _centred(field: str) -> Column:
    mean = _mean_of(field)
    return F.transform("candidates", lambda c: c[field].cast("double") - mean)


def _dot(one: Column, other: Column) -> Column:
    products = F.zip_with(one, other, lambda a, b: a * b)
    return F.aggregate(products, F.lit(0.0), lambda total, value: total + value)


def _effect(n: int, rt: float, rr: float, tt: float) -> LengthEffect:
    if not rr or not tt:
        return LengthEffect(n, math.nan, math.nan)
    return LengthEffect(n, rt / math.sqrt(rr * tt), rt / tt)
