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
    # Counted by hand. Engines: G's greedy texts, its samples and two V's that measure, three times; G's candidates and
    # two V's that judge, twice. Hold-out: 5 events with nothing, another's, G_0's; then G_1's besides; then G_2's.
    # Tuned: 20 and 28 events of the two folds with G_0's two texts, then G_1's besides, then G_2's: 48 * (2 + 4 + 6).
    assert work_of(SIZE, chosen, distilled=4) == {
        "engine starts": 18,
        "RecCoTs": 36,
        "candidates": 192,
        "judgements": 540,
        "taught RecCoTs": 8,
        "tuned events": 576,
        "groups": 40,
    }


def test_events_are_limited_before_texts_and_gs_are_many_and_v_is_asked_without_a_reccot_once_a_history():
    chosen = settings(
        loop={"rounds": 3},
        feedback={"candidates": 2, "next_events": 4},
        tune={"next_events": 2, "candidates": 0, "max_examples": 25, "also": ["path:g"], "epochs": 2},
    )
    work = work_of(LoopSize((10, 14), 20, 12, 5, baselines=20), chosen, distilled=0)
    # 20 and 25 events, twice, with the texts of 2, 3, 4 and 4 G's.
    assert work["tuned events"] == 1170
    # 3 rounds of 20 histories with 2 candidates and without, 4 events each; 5 events in 3, 4, 5 and 5 variants.
    assert work["judgements"] == 805


def test_a_loop_of_one_v_that_begins_with_a_given_g_has_less_to_do():
    chosen = settings(loop={"rounds": 1}, tune={"candidates": 0, "next_events": 2})
    work = work_of(LoopSize(taught=(10,), aligned=20, greedy_prompts=12, holdout_events=5), chosen, distilled=0)
    assert (work["engine starts"], work["taught RecCoTs"], work["tuned events"]) == (6, 0, 60)


def test_a_v_without_an_llm_takes_no_time():
    validator = {"model": {"source": "path:v"}, "engine": "counted"}
    work = work_of(SIZE, settings(validator=validator, loop={"rounds": 1}), distilled=0)
    assert (work["engine starts"], work["judgements"], work["tuned events"]) == (3 + 2, 0, 0)


def test_minutes_are_the_seconds_of_each_kind():
    assert minutes_of({"engine starts": 2, "groups": 5}) == pytest.approx((2 * 25 + 5 * 3) / 60)
