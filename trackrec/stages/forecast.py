"""How long a loop will take, told before it starts: its work by kind, and what a piece of each kind took."""

from __future__ import annotations

import math
from collections.abc import Mapping

from pyspark.sql import functions as F

from trackrec.feedback.user_split import of_validator
from trackrec.histories.snapshots import current_histories
from trackrec.histories.templates import template_of
from trackrec.stages import measure
from trackrec.stages.job import Job

# Seconds on 2 CPU cores with SmolLM2-135M in float32, prompts of about 250 tokens, RecCoTs of 70: `make loop`, whose
# steps write down their seconds (docs/experiments.md). Larger machines and models need other figures.
SECONDS = {
    "engine starts": 25.0,
    "RecCoTs": 0.6,
    "candidates": 0.25,
    "judgements": 0.1,
    "taught RecCoTs": 1.8,
    "tuned events": 0.25,
    "groups": 3.0,
}
_MEASURED = (3, 4)  # what V is shown in round 0, and in a later round: nothing, G_0's, another's; G_t's besides


def work_of(job: Job) -> dict[str, int]:
    """Pieces of each kind in ``SECONDS`` that the loop with these settings has, at most, once histories are there."""
    settings, rounds = job.settings, job.settings.loop.rounds
    template = template_of(settings.prompt, settings.histories)
    histories = current_histories(job.warehouse.read("user_histories"), template.version)
    theirs = of_validator(F.col("user_id"), settings.feedback.validator_share)
    events = measure.held_out(job).persist()
    try:
        held = events.count()
        keys = histories.where(theirs).select("prompt_key").union(events.select("prompt_key")).distinct().count()
    finally:
        events.unpersist()
    tuned = histories.where(theirs).count() * settings.tune.next_events
    judged = histories.where(~theirs).count()
    taught = math.ceil(judged * settings.distill.share)
    candidates = rounds * judged * settings.feedback.candidates
    return {
        "engine starts": 4 * rounds + 2,
        "RecCoTs": (rounds + 1) * keys,
        "candidates": candidates,
        "judgements": candidates * settings.feedback.next_events + held * (_MEASURED[0] + rounds * _MEASURED[1]),
        "taught RecCoTs": settings.distill.epochs * _at_most(taught, settings.distill.max_examples),
        "tuned events": (rounds + 1) * settings.tune.epochs * _at_most(tuned, settings.tune.max_examples),
        "groups": rounds * settings.align.epochs * judged,
    }


def told(work: Mapping[str, int]) -> str:
    """The work and an estimate of its minutes in one line."""
    parts = ", ".join(f"{count:,} {kind}" for kind, count in work.items())
    seconds = sum(SECONDS[kind] * count for kind, count in work.items())
    return f"{parts}: about {math.ceil(seconds / 60)} min on 2 CPU cores with a model of 135 M"


def _at_most(count: int, limit: int | None) -> int:
    return count if limit is None else min(count, limit)
