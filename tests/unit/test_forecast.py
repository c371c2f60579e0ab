"""The work of a loop, from what there is of histories and events."""

import pytest

from trackrec.feedback.forecast import LoopSize, minutes_of, work_of
from trackrec.runtime.settings import Settings

SIZE = LoopSize(validator_histories=10, generator_histories=20, holdout_events=5, greedy_prompts=12)


def settings(**sections):
    model = {"model": {"source": "path:m"}}
    return Settings.model_validate({"generator": model, "encoder": model} | sections)


def test_the_work_of_two_rounds():
    chosen = settings(
        loop={"rounds": 2},
        feedback={"candidates": 3, "next_events": 4},
        distill={"share": 0.3, "max_examples": 4},
        tune={"next_events": 2},
    )
    assert work_of(SIZE, chosen) == {
        "engine starts": 10,
        "RecCoTs": 36,
        "candidates": 120,
        "judgements": 120 * 4 + 5 * (3 + 2 * 4),
        "taught RecCoTs": 4,
        "tuned events": 3 * 20,
        "groups": 40,
    }


def test_minutes_are_the_seconds_of_each_kind():
    assert minutes_of({"engine starts": 2, "groups": 5}) == pytest.approx((2 * 25 + 5 * 3) / 60)
