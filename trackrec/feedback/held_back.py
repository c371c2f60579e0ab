"""Whether a choice by rewards is one of the RecCoT or of the few events it was made by: asked about the other ones."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from trackrec.feedback.rewards import HALVES
from trackrec.feedback.verdicts import KEPT
from trackrec.metrics.bootstrap import percentiles, resampled_mean


@dataclass(frozen=True)
class HeldBack:
    """What the candidate that is best by every other event is worth by the rest, less the mean of its history's.

    ``gain`` is the mean over histories, in units of the reward; ``low`` and ``high`` its 95 % interval over users. NaN
    where no history has rewards by both halves, and the interval where only one user has.
    """

    histories: int
    users: int
    gain: float
    low: float
    high: float


def held_back(groups: DataFrame) -> HeldBack:
    """``groups`` as from ``preferences.candidate_groups``; those count that can be compared, by both halves."""
    told = groups.where(F.col("verdict") == KEPT).where(F.forall("candidates", _has_both))
    gains = told.groupBy("user_id").agg(F.sum(_gain()).alias("gain"), F.count("*").alias("histories")).collect()
    if not gains:
        return HeldBack(0, 0, float("nan"), float("nan"), float("nan"))
    in_order = sorted(gains, key=lambda row: row["user_id"])  # else the draws would be of other users each time
    sums, histories = (np.array([row[name] for row in in_order], dtype=float) for name in ("gain", "histories"))
    low, high = percentiles(resampled_mean(sums, histories))
    return HeldBack(int(histories.sum()), len(gains), float(sums.sum() / histories.sum()), low, high)


def _has_both(candidate: Column) -> Column:
    half, rest = (candidate[name].isNotNull() for name in HALVES)
    return half & rest


def _gain() -> Column:
    half, rest = HALVES
    ordered = F.transform(
        "candidates", lambda c: F.struct((-c[half]).alias("order"), c["sample_number"], c[rest].alias("rest"))
    )
    chosen = F.element_at(F.sort_array(ordered), 1)["rest"]
    total = F.aggregate("candidates", F.lit(0.0), lambda sofar, c: sofar + c[rest])
    return chosen - total / F.size("candidates")
