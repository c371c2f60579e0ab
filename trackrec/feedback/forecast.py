"""How long a loop will take, known before it starts: its work by kind, and what a piece of each kind took; no Spark."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from trackrec.runtime.settings import Settings

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
MACHINE = "2 CPU cores and a model of 135 M parameters"
_VARIANTS = (3, 4)  # what V is shown in round 0, and in a later round: nothing, G_0's, another's; G_t's besides


@dataclass(frozen=True)
class LoopSize:
    """How much a loop works on: histories of V's users and of G's, events of the hold-out, RecCoTs a round."""

    validator_histories: int
    generator_histories: int
    holdout_events: int
    greedy_prompts: int


def work_of(size: LoopSize, settings: Settings) -> dict[str, int]:
    """Pieces of each kind in ``SECONDS`` that the loop with these settings has, at most."""
    rounds = settings.loop.rounds
    taught = math.ceil(size.generator_histories * settings.distill.share)
    tuned = size.validator_histories * settings.tune.next_events
    candidates = rounds * size.generator_histories * settings.feedback.candidates
    measured = size.holdout_events * (_VARIANTS[0] + rounds * _VARIANTS[1])
    return {
        "engine starts": 4 * rounds + 2,
        "RecCoTs": (rounds + 1) * size.greedy_prompts,
        "candidates": candidates,
        "judgements": candidates * settings.feedback.next_events + measured,
        "taught RecCoTs": settings.distill.epochs * _at_most(taught, settings.distill.max_examples),
        "tuned events": (rounds + 1) * settings.tune.epochs * _at_most(tuned, settings.tune.max_examples),
        "groups": rounds * settings.align.epochs * size.generator_histories,
    }


def minutes_of(work: Mapping[str, int]) -> float:
    """Minutes that the work takes on ``MACHINE``."""
    return sum(SECONDS[kind] * count for kind, count in work.items()) / 60


def _at_most(count: int, limit: int | None) -> int:
    return count if limit is None else min(count, limit)
