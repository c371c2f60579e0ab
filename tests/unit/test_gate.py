"""When V's judgement may move G, and which G is chosen: by lower bounds, never by a point."""

import math

import pytest

from trackrec.feedback.chosen import chosen_round
from trackrec.feedback.gate import bounds_of, closing, passed, sentence
from trackrec.feedback.metrics import ENOUGH_USERS, OFFSET, READER, SHUFFLED, difference, quality
from trackrec.runtime.events import Outcome


def measured(uauc_low=0.51, shuffled=0.01, offset=0.01, users=ENOUGH_USERS, **gains):
    """Tables of a hold-out on which every point estimate is .05 above its lower bound."""
    lows = {SHUFFLED: shuffled, OFFSET: offset} | gains
    row = {name: {"uauc": low + 0.05, "uauc_low": low, "users": users} for name, low in lows.items() if low is not None}
    validator = {"G_0": {"uauc": uauc_low + 0.05, "uauc_low": uauc_low, "users": users}}
    return {"validator": validator, "differences": row}


def test_a_v_whose_lower_bounds_are_all_above_0_may_judge():
    assert passed(bounds_of(measured(), "G_0"))


def test_an_llm_beside_a_reader_must_beat_the_reader():
    tables = measured(offset=0.1, **{READER: -0.01})
    bounds = bounds_of(tables, "G_0")
    assert [bound.low for bound in bounds if bound.name == "v_minus_offset"] == [-0.01]
    assert "UAUC of V minus that of the reader alone: +0.0400, at least -0.0100" in sentence(bounds, 1)


@pytest.mark.parametrize(
    ("low", "named"),
    [
        ({"uauc_low": 0.49}, "UAUC minus .5: +0.0400, at least -0.0100"),
        ({"shuffled": -0.002}, "UAUC with the own RecCoT minus with another user's: +0.0480, at least -0.0020"),
        ({"offset": 0.0}, "UAUC of V minus that of the offset alone: +0.0500, at least +0.0000"),
    ],
)
def test_one_bound_that_fails_closes_the_gate_and_is_named_with_its_figures(low, named):
    bounds = bounds_of(measured(**low), "G_0")
    assert not passed(bounds)
    said = sentence(bounds, 1)
    assert said.startswith(f"Round 1: V_0 has not shown that it judges: {named}. Tune V on more events")
    assert sum(bound.text in said for bound in bounds) == 1


def reading(value, low, users=ENOUGH_USERS):
    return {"reading": value, "reading_low": low, "reading_users": users}


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (reading(0.41, 0.33), "V reads the RecCoTs"),
        (reading(0.41, 0.33), "(correlation +0.41, at least +0.33). So what they say is worth too little"),
        (reading(0.02, -0.04), "V has not shown that it reads the RecCoTs"),
        (reading(0.02, -0.04), "(correlation +0.02, at least -0.04). Let it learn from a reader that counts"),
        (reading(0.41, 0.33, ENOUGH_USERS - 1), "at least -0.0020. Tune V on more events"),
        (reading(math.nan, math.nan), "at least -0.0020. Tune V on more events"),
        ({}, "at least -0.0020. Tune V on more events"),
        (None, "at least -0.0020. Tune V on more events"),
    ],
)
def test_a_closed_gate_says_whether_v_does_not_read_or_what_it_reads_says_too_little(row, said):
    why = sentence(bounds_of(measured(shuffled=-0.002), "G_0"), 1, row)
    assert said in why
    assert "loop.holdout_samples" in why
    assert why.endswith("loop.gate=report aligns all the same.")


def test_a_v_that_reads_and_gains_by_it_is_not_told_that_reccots_are_worth_too_little():
    why = sentence(bounds_of(measured(offset=-0.002), "G_0"), 1, reading(0.41, 0.33))
    assert "worth too little" not in why
    assert "Tune V on more events" in why


def test_without_an_offset_there_is_none_to_beat():
    bounds = bounds_of(measured(offset=None), "G_0")
    assert [bound.name for bound in bounds] == ["above_chance", "own_minus_shuffled"]
    assert passed(bounds)


@pytest.mark.parametrize("low", [{"uauc_low": math.nan}, {"shuffled": None}, {"offset": math.nan}])
def test_a_bound_that_is_no_number_does_not_hold(low):
    bounds = bounds_of(measured(**low), "G_0")
    assert not passed(bounds)
    assert "has no interval (too few users with both labels)" in sentence(bounds, 1)


def of_one_user_with_both_labels():
    """label, user, and P(Yes) of two V's about 31 users of whom one liked one film and not another.

    The first V puts that film first and the second last. Every draw of users that has a UAUC has this user's.
    """
    label, user = [1, 0, *[1] * 30], ["a", "a", *(f"u{n}" for n in range(30))]
    return label, user, [0.9, 0.1, *[0.5] * 30], [0.1, 0.9, *[0.5] * 30]


def test_one_user_with_both_labels_among_31_opens_no_gate_and_the_sentence_says_how_many():
    label, user, own, other = of_one_user_with_both_labels()
    row = quality(label, own, user)
    assert (row["uauc_low"], row["uauc_high"], row["users"]) == (1.0, 1.0, 1)
    against = difference(label, user, own, other)
    assert (against["uauc_low"], against["users"]) == (1.0, 1)
    bounds = bounds_of({"validator": {"G_0": row}, "differences": {SHUFFLED: against, OFFSET: against}}, "G_0")
    assert not any(bound.holds for bound in bounds)
    assert "UAUC minus .5: +0.5000, but only 1 users with both labels; UAUC with the own" in sentence(bounds, 1)


def test_one_user_with_both_labels_among_31_chooses_nothing():
    label, user, own, other = of_one_user_with_both_labels()
    gain = {"differences": {"G_0": difference(label, user, own, other)}}
    assert chosen_round({0: Outcome("measure"), 1: Outcome("measure", tables=gain)}) == 0


@pytest.mark.parametrize(("users", "enough"), [(ENOUGH_USERS - 1, False), (ENOUGH_USERS, True)])
def test_as_many_users_as_an_interval_needs_open_the_gate_and_choose(users, enough):
    assert passed(bounds_of(measured(users=users), "G_0")) == enough
    outcomes = {0: Outcome("measure"), 1: Outcome("measure", tables=measured(users=users, G_0=0.01))}
    assert chosen_round(outcomes) == int(enough)


def test_a_closed_gate_says_what_becomes_of_the_rounds_after_it():
    assert closing(1, 1) == "G_0 is kept and the loop ends here."
    assert closing(1, 2) == "G_0 is kept and the loop ends here; round 2 would ask the same V again."
    assert closing(2, 5) == "G_1 is kept and the loop ends here; rounds 3 to 5 would ask the same V again."


def rounds(*gains):
    """Round → its measurement, by the lower bounds of its gains (G → bound)."""
    return {n: Outcome("measure", tables=measured(**low)) for n, low in enumerate(gains)}


def test_g_0_stays_chosen_while_every_gain_may_be_luck():
    assert chosen_round(rounds({}, {"G_0": -0.01}, {"G_0": 0.0})) == 0
    assert chosen_round(rounds({}, {"G_0": math.nan})) == 0


def test_a_later_round_must_gain_on_the_chosen_one_and_not_on_g_0():
    assert chosen_round(rounds({}, {"G_0": 0.01})) == 1
    assert chosen_round(rounds({}, {"G_0": 0.01}, {"G_0": 0.02, "G_1": -0.001})) == 1
    assert chosen_round(rounds({}, {"G_0": 0.01}, {"G_0": 0.02, "G_1": 0.001})) == 2
    assert chosen_round(rounds({}, {"G_0": -0.01}, {"G_0": 0.01})) == 2
