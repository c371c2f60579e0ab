"""What a choice by half of the events is worth by the other half, of a few groups by hand."""

import math

import pytest

from trackrec.feedback.held_back import held_back

pytestmark = pytest.mark.spark

GROUP = (
    "user_id string, verdict string, "
    "candidates array<struct<sample_number int, half_reward double, rest_reward double>>"
)


def groups(spark, *rows):
    """User, verdict and (reward by half, by the rest) of each candidate."""
    found = [(user, verdict, [(n, *both) for n, both in enumerate(said)]) for user, verdict, *said in rows]
    return spark.createDataFrame(found, GROUP)


def test_the_best_by_half_is_worth_what_it_has_by_the_rest_over_the_mean_of_its_history(spark):
    found = held_back(groups(spark, ("u", "kept", (0.9, 0.5), (0.1, 0.2)), ("v", "kept", (0.1, 0.8), (0.9, 0.4))))
    assert (found.histories, found.users) == (2, 2)
    assert found.gain == pytest.approx((0.15 - 0.2) / 2)
    assert (found.low, found.high) == (pytest.approx(-0.2), pytest.approx(0.15))


def test_of_equal_rewards_the_first_sample_is_chosen_as_it_is_for_g(spark):
    found = held_back(groups(spark, ("u", "kept", (0.5, 0.1), (0.5, 0.3), (0.4, 0.5))))
    assert found.gain == pytest.approx(0.1 - 0.3)
    assert math.isnan(found.low), "one user has no interval"


def test_groups_that_cannot_be_compared_or_lack_a_reward_by_half_are_left_out(spark):
    found = held_back(
        groups(spark, ("u", "kept", (0.5, 0.1), (0.6, None)), ("v", "few_events", (0.5, 0.1), (0.6, 0.2)))
    )
    assert (found.histories, found.users) == (0, 0)
    assert math.isnan(found.gain)
