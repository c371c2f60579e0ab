"""The work of a loop, from what there is of histories and events."""

import pytest

from trackrec.feedback.forecast import LoopSize, minutes_of, work_of
from trackrec.runtime.settings import Settings

SIZE = LoopSize(taught=(10, 14), aligned=20, greedy_prompts=12, holdout_events=5)


def settings(**sections):
    model = {"model": {"source": "path:m"}}
    return Settings.model_validate({"generator": model, "encoder": model} | sections)


def test_the_work_of_two_rounds_of_two_vs():
    chosen = settings(
        loop={"rounds": 2},
        feedback={"candidates": 3, "next_events": 4},
        distill={"epochs": 2},
        tune={"next_events": 2, "candidates": 1, "max_examples": 50},
    )
    assert work_of(SIZE, chosen, distilled=4) == {
        "engine starts": 5 * 3 + 3,
        "RecCoTs": 36,
        "candidates": 2 * 20 * 3 + 3 * 24,
        "judgements": 120 * 4 + 5 * (3 + 2 * 4),
        "taught RecCoTs": 8,
        "tuned events": 3 * (10 * 2 * 2 + 50),
        "groups": 40,
    }


def test_a_loop_of_one_v_that_begins_with_a_given_g_has_less_to_do():
    chosen = settings(loop={"rounds": 1}, tune={"candidates": 0, "next_events": 2})
    work = work_of(LoopSize(taught=(10,), aligned=20, greedy_prompts=12, holdout_events=5), chosen, distilled=0)
    assert (work["engine starts"], work["taught RecCoTs"], work["tuned events"]) == (6, 0, 40)


def test_minutes_are_the_seconds_of_each_kind():
    assert minutes_of({"engine starts": 2, "groups": 5}) == pytest.approx((2 * 25 + 5 * 3) / 60)
