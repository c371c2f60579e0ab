"""Whether a choice by rewards is one of the RecCoT or of the few events it was made by: asked about the other ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from trackrec.feedback.rewards import HALVES, min_gap
from trackrec.feedback.verdicts import KEPT
from trackrec.metrics.bootstrap import percentiles, resampled_mean
from trackrec.runtime.settings import FeedbackSettings


@dataclass(frozen=True)
class HeldBack:
    """What the best candidate by one half of a history's next events is worth by the other half.

    Each half chooses where it shows a gap of ``feedback.min_gap``: at most two ``choices`` a history, of so many
    ``users``. ``gain``: the chosen one's reward by the half that was held back, less the mean of its history's
    candidates; 95 % interval ``low`` to ``high``, over users. ``chosen_by``: the same by the half that chose, above 0
    even where only noise decides, as the largest was picked. All in units of the reward, before length is taken out of
    it; NaN without a choice, and the interval with one user.
    """

    choices: int
    users: int
    gain: float
    low: float
    high: float
    chosen_by: float


class Choices(NamedTuple):
    """Of one user: how many, and the sums over them of what ``HeldBack`` has means of."""

    choices: int
    gain: float
    chosen_by: float


def held_back(groups: DataFrame, settings: FeedbackSettings) -> HeldBack:
    """``groups`` as from ``preferences.candidate_groups``; those count that can be compared by ``settings.reward``.

    Of a group in which a candidate has no reward by one of the halves (no pair) there is no choice.
    """
    compared = groups.where((F.col("verdict") == KEPT) & (F.col("reward_kind") == settings.reward))
    half, rest = HALVES
    both = F.array(_choice(half, rest), _choice(rest, half))
    choices = compared.where(F.forall("candidates", _has_both)).select("user_id", F.inline(both))
    sums = choices.where(F.col("gap") >= min_gap(settings, settings.reward)).groupBy("user_id")
    rows = sums.agg(F.count("*"), F.sum("gain"), F.sum("chosen_by")).collect()
    return over_users({user: Choices(*of_user) for user, *of_user in rows})


def over_users(choices: Mapping[str, Choices]) -> HeldBack:
    """Means over the choices of all users, user by user in the order of their ids: draws depend on it."""
    nan = float("nan")
    if not choices:
        return HeldBack(0, 0, nan, nan, nan, nan)
    counts, gains, chosen_by = np.array([choices[user] for user in sorted(choices)], dtype=float).T
    low, high = percentiles(resampled_mean(gains, counts))
    gain, by = (float(sums.sum() / counts.sum()) for sums in (gains, chosen_by))
    return HeldBack(int(counts.sum()), len(counts), gain, low, high, by)


def _has_both(candidate: Column) -> Column:
    half, rest = (candidate[name].isNotNull() for name in HALVES)
    return half & rest


def _choice(half: str, rest: str) -> Column:
    """struct<gap, gain, chosen_by> of the best candidate by ``half``, of equal ones the first sample, as for G."""
    ordered = F.sort_array(
        F.transform("candidates", lambda c: F.struct((-c[half]).alias("order"), c["sample_number"], c[rest]))
    )
    best, worst = F.element_at(ordered, 1), F.element_at(ordered, -1)
    return F.struct(
        (worst["order"] - best["order"]).alias("gap"),
        (best[rest] - _mean(rest)).alias("gain"),
        (-best["order"] - _mean(half)).alias("chosen_by"),
    )


def _mean(reward: str) -> Column:
    total = F.aggregate("candidates", F.lit(0.0), lambda so_far, c: so_far + c[reward])
    return total / F.size("candidates")
