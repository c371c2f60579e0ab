"""V's log-odds → what a candidate RecCoT is worth, in one of five ways (``feedback.reward``), as Spark expressions.

Over the events of a snapshot that V answered, with x = log P(Yes) − log P(No) of an event:

    pairs      mean of σ(x_liked − x_not) over liked × not liked events: what a pair of them in the right order is worth
    log_pairs  mean of log σ(x_liked − x_not), nats
    log_score  mean of log p of what happened, less the same of V without a RecCoT, nats
    brier      −mean of (p − label)²
    agreement  mean of p where liked, 1 − p where not (TrackRec, arXiv 2508.15388)

What each pays for: docs/method.md.
"""

from __future__ import annotations

from collections.abc import Callable

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from trackrec.runtime.settings import FeedbackSettings, Reward

OF_PAIRS: tuple[Reward, ...] = ("pairs", "log_pairs")
# What a change of V's log-odds by .04 brings where p = .5: each reward has a scale of its own, nats are twice as wide.
MIN_GAPS: dict[Reward, float] = {
    "pairs": 0.01,
    "log_pairs": 0.02,
    "log_score": 0.02,
    "brier": 0.01,
    "agreement": 0.01,
}
# Columns: a reward over one half of the events, and over the other.
HALVES = ("half_reward", "rest_reward")
_EVENT = ("user_id", "as_of", "item_id", "event_time")


def needs_baseline(settings: FeedbackSettings) -> bool:
    """Whether V's answers without a RecCoT are part of a reward."""
    return settings.reward == "log_score" or (settings.reward in OF_PAIRS and settings.one_label == "log_score")


def min_gap(settings: FeedbackSettings, kind: Reward) -> float:
    """The smallest gap of a group with rewards of this kind that is kept; ``feedback.min_gap`` is that of its own."""
    return MIN_GAPS[kind] if settings.min_gap is None or kind != settings.reward else settings.min_gap


def rewards(answers: DataFrame, settings: FeedbackSettings, baseline: DataFrame | None = None) -> DataFrame:
    """row_key, reward, ``HALVES``, reward_kind, n_scored, events_hash of each candidate.

    ``answers``: row_key, user_id, as_of, item_id, event_time, label, log_odds of one V version; ``baseline``: user_id,
    as_of, item_id, event_time, log_odds of V without a RecCoT, which the log score is measured against where it is
    given. The reward is NULL where V lacks such an answer, and where there is no pair and ``one_label`` says drop.
    ``HALVES``: the same over every other event in the order of time, from the first on, and over those in between; NULL
    also where a half has no pair. n_scored: events; events_hash: bigint, of which ones they are.
    """
    if baseline is None:
        known = answers.withColumn("without", F.lit(None).cast("double"))
    else:
        known = answers.join(baseline.select(*_EVENT, F.col("log_odds").alias("without")), list(_EVENT), "left")
    event = F.struct("event_time", "item_id", "label", "log_odds", "without")
    # In order: sums of floats depend on it, and what did not change is not to be written again.
    events = known.groupBy("row_key").agg(F.sort_array(F.collect_list(event)).alias("events"))
    over = {"reward": F.col("events")} | {half: _every_other(start) for start, half in enumerate(HALVES)}
    which = F.xxhash64(F.transform("events", lambda e: F.struct(e["event_time"], e["item_id"])))
    return events.select(
        "row_key",
        *(_rewarded(some, settings, baseline is not None).alias(name) for name, some in over.items()),
        _kind(settings).alias("reward_kind"),
        F.size("events").alias("n_scored"),
        which.alias("events_hash"),
    )


def _every_other(start: int) -> Column:
    return F.filter("events", lambda e, place: place % 2 == start)


def _rewarded(events: Column, settings: FeedbackSettings, against_baseline: bool) -> Column:
    """The reward over ``events``, of the kind that all of the candidate's events decide."""
    reward = F.lit(None).cast("double")
    kinds: tuple[Reward, ...] = ("log_score", settings.reward)
    for name in kinds:
        reward = F.when(_kind(settings) == name, _reward(name, events, against_baseline)).otherwise(reward)
    return reward


def _kind(settings: FeedbackSettings) -> Column:
    if settings.reward not in OF_PAIRS or settings.one_label == "drop":
        return F.lit(settings.reward)
    both = F.exists("events", lambda e: e["label"] == 1) & F.exists("events", lambda e: e["label"] == 0)
    return F.when(both, F.lit(settings.reward)).otherwise(F.lit("log_score"))


def _reward(kind: Reward, events: Column, against_baseline: bool) -> Column:
    """NULL over no event or pair."""
    if kind in OF_PAIRS:
        score = _log_sigmoid if kind == "log_pairs" else _sigmoid
        others = _labelled(events, 0)
        pairs = F.transform(_labelled(events, 1), lambda liked: _against_each(others, liked, score))
        return _mean(F.flatten(pairs))
    if kind == "log_score":
        return _mean(F.transform(events, _log_gain if against_baseline else _log_score))
    if kind == "brier":
        return _mean(F.transform(events, lambda e: -F.pow(_sigmoid(-_for_what_happened(e, "log_odds")), 2)))
    return _mean(F.transform(events, lambda e: _sigmoid(_for_what_happened(e, "log_odds"))))


def _labelled(events: Column, label: int) -> Column:
    return F.filter(events, lambda e: e["label"] == label)


def _against_each(others: Column, liked: Column, score: Callable[[Column], Column]) -> Column:
    return F.transform(others, lambda other: score(liked["log_odds"] - other["log_odds"]))


def _log_score(event: Column) -> Column:
    return _log_sigmoid(_for_what_happened(event, "log_odds"))


def _log_gain(event: Column) -> Column:
    return _log_score(event) - _log_sigmoid(_for_what_happened(event, "without"))


def _for_what_happened(event: Column, log_odds: str) -> Column:
    return F.when(event["label"] == 1, event[log_odds]).otherwise(-event[log_odds])


def _log_sigmoid(x: Column) -> Column:
    """log σ(x), without overflow at either end."""
    return F.least(x, F.lit(0.0)) - F.log1p(F.exp(-F.abs(x)))


def _sigmoid(x: Column) -> Column:
    return F.exp(_log_sigmoid(x))


def _mean(values: Column) -> Column:
    return F.try_divide(F.aggregate(values, F.lit(0.0), lambda total, value: total + value), F.size(values))
