"""How long a loop will take, known before it starts: its work by kind, and what a piece of each kind took; no Spark."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from trackrec.runtime.settings import Settings

# Seconds on 2 CPU cores with SmolLM2-135M in float32, prompts of about 250 tokens, RecCoTs of 70: `make loop`, whose
# steps write down their seconds (docs/experiments.md). Larger machines and models need other figures. V read the
# history besides the RecCoT then: of prompts without it judgements and tuned events take less.
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
    """How much a loop works on: histories and events.

    ``taught``: histories that V is tuned on, of each fold that has a V; ``aligned``: that candidates are written about;
    ``greedy_prompts``: that G_t writes about; ``holdout_events``: that each V_t is measured on.
    """

    taught: tuple[int, ...]
    aligned: int
    greedy_prompts: int
    holdout_events: int


def work_of(size: LoopSize, settings: Settings, distilled: int) -> dict[str, int]:
    """Pieces of each kind in ``SECONDS`` that the loop has, at most; ``distilled``: texts of a teacher."""
    rounds, tune, validators = settings.loop.rounds, settings.tune, len(size.taught)
    texts = 1 + tune.candidates  # that V is tuned on, a history
    tuned = sum(_at_most(count * tune.next_events * texts, tune.max_examples) for count in size.taught)
    candidates = rounds * size.aligned * settings.feedback.candidates
    measured = size.holdout_events * (_VARIANTS[0] + rounds * _VARIANTS[1])
    samples = (rounds + 1) * sum(size.taught) * tune.candidates
    return {
        "engine starts": (1 + validators) * (2 * rounds + 1) + (rounds + 1) * bool(tune.candidates),
        "RecCoTs": (rounds + 1) * size.greedy_prompts,
        "candidates": candidates + samples,
        "judgements": candidates * settings.feedback.next_events + measured,
        "taught RecCoTs": settings.distill.epochs * distilled,
        "tuned events": (rounds + 1) * tune.epochs * tuned,
        "groups": rounds * settings.align.epochs * size.aligned,
    }


def minutes_of(work: Mapping[str, int]) -> float:
    """Minutes that the work takes on ``MACHINE``."""
    return sum(SECONDS[kind] * count for kind, count in work.items()) / 60


def _at_most(count: int, limit: int | None) -> int:
    return count if limit is None else min(count, limit)
