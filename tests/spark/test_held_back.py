"""What a choice by half of the events is worth by the other half, of a few groups by hand."""

import math

import pytest

from trackrec.feedback.held_back import held_back
from trackrec.runtime.settings import FeedbackSettings

pytestmark = pytest.mark.spark

GROUP = (
    "user_id string, verdict string, reward_kind string, "
    "candidates array<struct<sample_number int, half_reward double, rest_reward double>>"
)
PAIRS = FeedbackSettings(reward="pairs", min_gap=0.01)
AGREES = [(0.9, 0.5), (0.1, 0.2)]  # both halves choose the first: worth .15 by the rest, .4 by the half
DISAGREES = [(0.1, 0.8), (0.9, 0.4)]  # −.2 and −.4


def group(user, candidates, *, verdict="kept", kind="pairs"):
    return user, verdict, kind, [(number, *both) for number, both in enumerate(candidates)]


def held_back_of(spark, *groups):
    return held_back(spark.createDataFrame(groups, GROUP), PAIRS)


def test_each_half_chooses_and_the_other_one_says_what_the_choice_is_worth(spark):
    found = held_back_of(spark, group("u", AGREES), group("v", DISAGREES))
    assert (found.choices, found.users) == (4, 2)
    assert found.gain == pytest.approx((0.15 + 0.4 - 0.2 - 0.4) / 4)
    assert found.chosen_by == pytest.approx((0.4 + 0.15 + 0.4 + 0.2) / 4)
    assert (found.low, found.high) == (pytest.approx(-0.6 / 2), pytest.approx(0.55 / 2))


def test_a_user_with_more_choices_counts_more(spark):
    found = held_back_of(spark, group("u", AGREES), group("u", AGREES), group("v", DISAGREES))
    assert found.gain == pytest.approx((2 * 0.55 - 0.6) / 6)


def test_a_half_that_shows_no_gap_chooses_nothing(spark):
    found = held_back_of(spark, group("u", [(0.5, 0.1), (0.505, 0.3), (0.504, 0.5)]))
    assert found.choices == 1
    assert found.gain == pytest.approx(0.504 - (0.5 + 0.505 + 0.504) / 3)
    assert math.isnan(found.low), "one user has no interval"


def test_of_equal_rewards_the_first_sample_is_chosen_as_it_is_for_g(spark):
    found = held_back_of(spark, group("u", [(0.5, 0.3), (0.5, 0.305), (0.4, 0.3)]))
    assert found.choices == 1
    assert found.gain == pytest.approx(0.3 - 0.905 / 3)
    found = held_back_of(spark, group("u", [(0.4, 0.1), (0.4, 0.305), (0.3, 0.1)]))
    assert found.gain == pytest.approx(((0.1 - 0.505 / 3) + (0.4 - 1.1 / 3)) / 2)


def test_groups_that_cannot_be_compared_of_another_kind_or_without_a_reward_by_half_are_left_out(spark):
    found = held_back_of(
        spark,
        group("u", [(0.5, 0.1), (0.6, None)]),
        group("v", AGREES, verdict="few_events"),
        group("w", AGREES, kind="log_score"),
    )
    assert (found.choices, found.users) == (0, 0)
    assert math.isnan(found.gain)
