"""How long a loop will take, known before it starts: its work by kind, and what a piece of each kind took; no Spark."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from trackrec.feedback.reader import is_counted
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
_COMPARED = 3  # G_0's RecCoTs, those of the G chosen before and G_t's: at most, in rounds 0 and 1 fewer are there
_BESIDES = 2  # what V is shown on the hold-out besides them: nothing, and another user's


@dataclass(frozen=True)
class LoopSize:
    """How much a loop works on: histories and events.

    ``taught``: histories that V is tuned on, of each fold that has a V; ``aligned``: that candidates are written about;
    ``greedy_prompts``: that G_t writes about; ``holdout_events``: that each V_t is measured on; ``baselines``:
    histories that V is asked about without a RecCoT, too, in a round.
    """

    taught: tuple[int, ...]
    aligned: int
    greedy_prompts: int
    holdout_events: int
    baselines: int = 0


def work_of(size: LoopSize, settings: Settings, distilled: int) -> dict[str, int]:
    """Pieces of each kind in ``SECONDS`` that the loop has, at most; ``distilled``: texts of a teacher."""
    rounds, tune, validators = settings.loop.rounds, settings.tune, len(size.taught)
    compared = [min(_COMPARED, number + 1) for number in range(rounds + 1)]  # G's, in each round
    events = sum(_at_most(count * tune.next_events, tune.max_examples) for count in size.taught)
    texts = sum(count + len(tune.also) for count in compared) * (1 + tune.candidates)  # a history, in all rounds
    candidates = rounds * size.aligned * settings.feedback.candidates
    measured = size.holdout_events * sum(count + _BESIDES for count in compared)
    asked = 0 if is_counted(settings) else 1  # of V's LLM
    samples = (rounds + 1) * sum(size.taught) * tune.candidates
    return {
        "engine starts": (1 + asked * validators) * (2 * rounds + 1) + (rounds + 1) * bool(tune.candidates),
        "RecCoTs": (rounds + 1) * size.greedy_prompts,
        "candidates": candidates + samples,
        "judgements": asked * ((candidates + rounds * size.baselines) * settings.feedback.next_events + measured),
        "taught RecCoTs": settings.distill.epochs * distilled,
        "tuned events": asked * tune.epochs * events * texts,
        "groups": rounds * settings.align.epochs * size.aligned,
    }


def minutes_of(work: Mapping[str, int]) -> float:
    """Minutes that the work takes on ``MACHINE``."""
    return sum(SECONDS[kind] * count for kind, count in work.items()) / 60


def _at_most(count: int, limit: int | None) -> int:
    return count if limit is None else min(count, limit)
