"""V's answers → ranked candidates, and what is said of them: verdicts, gaps, and how rewards go with length."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from trackrec.feedback import preferences
from trackrec.feedback.held_back import held_back
from trackrec.feedback.length import length_effects, slopes_of, without_length
from trackrec.feedback.no_reccot import split_answers
from trackrec.feedback.rewards import needs_baseline, rewards
from trackrec.feedback.verdicts import KEPT, count_name
from trackrec.runtime.events import Stage
from trackrec.runtime.settings import Settings

_DECILES = (0.1, 0.5, 0.9)


@contextmanager
def ranked_candidates(
    stage: Stage, settings: Settings, candidates: DataFrame, answered: DataFrame
) -> Iterator[DataFrame]:
    """Groups as from ``preferences.ranked_groups``, one a history, to be read any number of times in the block.

    ``candidates``: rows of ``reccots`` of one generator version and sampling; ``answered``: as from
    ``questions.answered``, about all of them: length is regressed once over all groups. ``stage`` is told: groups by
    verdict, candidates cut and compared; deciles of the gaps, length_corr, length_corr_after (only where length was
    taken out), by how many tokens the chosen one is longer than the others (kept groups), and what a choice by half of
    the events is worth by the rest: held_back, and held_back_… for the other fields of ``HeldBack``.
    """
    groups = _groups(settings, candidates, answered).persist()
    try:
        _hold_back(stage, settings, groups)
        ranked = _ranked(stage, settings, groups)
        _count_groups(stage, ranked)
        yield ranked
    finally:
        groups.unpersist()


def _groups(settings: Settings, candidates: DataFrame, answered: DataFrame) -> DataFrame:
    """The candidates with their rewards, a row a history, as from ``preferences.candidate_groups``."""
    answers = split_answers(answered)
    scored = rewards(
        answers.candidates, settings.feedback, answers.baseline if needs_baseline(settings.feedback) else None
    )
    return preferences.candidate_groups(candidates, scored, settings.feedback)


def _hold_back(stage: Stage, settings: Settings, groups: DataFrame) -> None:
    found = held_back(groups, settings.feedback)
    if found.choices:
        named = {"held_back" if name == "gain" else f"held_back_{name}": value for name, value in asdict(found).items()}
        stage.figures |= named


def _ranked(stage: Stage, settings: Settings, groups: DataFrame) -> DataFrame:
    """``groups`` ranked, without what length brings where it brings too much."""
    most, kind = settings.feedback.max_length_corr, settings.feedback.reward
    effects = length_effects(groups)
    slopes = slopes_of(effects, most)
    if kind in effects:
        stage.counts["candidates compared"] = effects[kind].candidates
        stage.figures["length_corr"] = effects[kind].corr
    if kind in slopes:
        stage.figures["length_corr_after"] = length_effects(without_length(groups, slopes))[kind].corr
    for name, slope in slopes.items():
        effect = effects[name]
        stage.notice(
            f"reward {name} and length go together, r = {effect.corr:+.2f} within the groups of {effect.candidates:,} "
            f"candidates (feedback.max_length_corr {most:g}): {slope:+.2g} a token was taken out of it"
        )
    return preferences.ranked_groups(groups, settings.feedback, slopes)


def _count_groups(stage: Stage, groups: DataFrame) -> None:
    """Groups by verdict, and deciles of the gap of best and worst: if most are under min_gap, V sees no difference."""
    chosen = F.get("ranked", F.lit(0))["tokens"]
    others = F.transform(F.slice("ranked", 2, 1_000_000), lambda c: c["tokens"])
    longer = chosen - F.try_divide(F.aggregate(others, F.lit(0), lambda total, n: total + n), F.size(others))
    by_verdict = groups.groupBy("verdict").agg(
        F.count("*").alias("groups"), F.sum("n_cut").alias("cut"), F.avg(longer).alias("longer")
    )
    stage.counts["candidates cut"] = 0
    for row in by_verdict.collect():
        stage.counts[count_name(row["verdict"])] = row["groups"]
        stage.counts["candidates cut"] += row["cut"]
        if row["verdict"] == KEPT:
            stage.figures["chosen longer by"] = row["longer"]
    gaps = groups.where("gap IS NOT NULL").select(F.percentile("gap", F.array(*map(F.lit, _DECILES)))).first()
    if gaps is not None and gaps[0] is not None:
        stage.figures |= {f"gap {share:.0%}": gap for share, gap in zip(_DECILES, gaps[0], strict=True)}
