"""V's figures on the hold-out: bounds over users, paired, with what V must beat among the variants."""

import math

import numpy as np
import pytest

from trackrec.feedback.holdout_figures import event_of, holdout_tables
from trackrec.feedback.metrics import (
    CONSTANT,
    OFFSET,
    USER_SHARE,
    difference,
    floor_probabilities,
    quality,
    quality_table,
)


def sigmoid(log_odds):
    return 1 / (1 + np.exp(-log_odds))


def judged(users=120, events=10, seed=0):
    """(label, user, what decides the labels beside noise) of so many users with a share of their own."""
    random = np.random.default_rng(seed)
    user = np.repeat([f"u{n}" for n in range(users)], events)
    taste = random.normal(size=users * events)
    share = np.repeat(random.normal(size=users), events)
    label = (random.random(users * events) < sigmoid(taste + share)).astype(int)
    return label, user, taste, share


def test_a_v_that_ranks_within_users_has_a_lower_bound_above_chance():
    label, user, taste, _ = judged()
    figures = quality(label, sigmoid(taste), user)
    assert 0.5 < figures["uauc_low"] < figures["uauc"] < figures["uauc_high"]


def test_a_v_that_knows_users_only_is_at_chance_within_them():
    label, user, _, share = judged()
    figures = quality(label, sigmoid(share), user)
    assert figures["auc"] > 0.6
    assert figures["uauc"] == pytest.approx(0.5)


def test_of_a_guessing_v_the_interval_holds_chance():
    label, user, *_ = judged()
    figures = quality(label, np.random.default_rng(5).random(len(label)), user)
    assert figures["uauc_low"] < 0.5 < figures["uauc_high"]


def test_what_is_a_users_own_moves_auc_and_not_uauc():
    label, user, taste, share = judged()
    row = difference(label, user, sigmoid(taste + share), sigmoid(taste))
    assert row["low"] > 0
    assert row["uauc"] == pytest.approx(0, abs=1e-12)
    assert (row["uauc_low"], row["uauc_high"]) == pytest.approx((0, 0), abs=1e-12)


def test_a_difference_is_paired_so_its_interval_is_narrower_than_that_of_either():
    label, user, taste, _ = judged()
    near = sigmoid(taste + 0.2 * np.random.default_rng(1).normal(size=len(label)))
    row = difference(label, user, sigmoid(taste), near)
    own, other = quality(label, sigmoid(taste), user), quality(label, near, user)
    assert row["uauc"] == pytest.approx(own["uauc"] - other["uauc"])
    assert row["uauc_low"] < row["uauc"] < row["uauc_high"]
    for figures in (own, other):
        assert row["uauc_high"] - row["uauc_low"] < 0.5 * (figures["uauc_high"] - figures["uauc_low"])
    assert row["events"] == len(label)


def test_users_with_one_label_only_give_no_bounds():
    figures = quality([1, 1, 0, 0], [0.9, 0.8, 0.2, 0.1], ["a", "a", "b", "b"])
    assert figures["auc"] == 1
    assert math.isnan(figures["uauc"])
    assert math.isnan(figures["uauc_low"])


EVENTS = [
    {"label": 1, "user_id": "a", "n_liked": 3, "n_events": 4, "offset": 0.0},
    {"label": 0, "user_id": "b", "n_liked": 0, "n_events": 2, "offset": math.log(3)},
]


def floors(events):
    label, user = [e["label"] for e in events], [e["user_id"] for e in events]
    return {name: quality(label, p, user) for name, p in floor_probabilities(events).items()}


def test_the_floors_are_the_overall_share_the_users_own_and_the_offset():
    p = floor_probabilities(EVENTS)
    assert p[CONSTANT] == [0.5, 0.5]
    assert p[USER_SHARE] == pytest.approx([3.5 / 5, 0.5 / 3])
    assert p[OFFSET] == pytest.approx([0.5, 0.75])
    assert list(floors(EVENTS)) == [CONSTANT, USER_SHARE, OFFSET]


@pytest.mark.parametrize("missing", [{"offset": None}, {}])
def test_a_v_without_an_offset_has_no_such_floor(missing):
    events = [{k: v for k, v in event.items() if k != "offset"} | missing for event in EVENTS]
    assert OFFSET not in floor_probabilities(events)


def test_a_perfect_and_a_reversed_judge():
    label, user = [1, 0, 1, 0], ["a", "a", "b", "b"]
    assert quality(label, [0.9, 0.1, 0.8, 0.2], user)["auc"] == 1.0
    assert quality(label, [0.1, 0.9, 0.2, 0.8], user)["auc"] == 0.0


def test_uauc_compares_within_users_and_leaves_out_those_with_one_label():
    label, p, user = [1, 0, 1, 1, 0], [0.2, 0.1, 0.9, 0.8, 0.95], ["a", "a", "b", "c", "c"]
    assert quality(label, p, user)["uauc"] == pytest.approx((1.0 * 2 + 0.0 * 2) / 4)


def test_calibration_error_is_the_mean_distance_of_share_and_probability_by_bin():
    figures = quality([1, 1, 0, 0], [0.75, 0.75, 0.75, 0.15], ["a"] * 4)
    assert figures["ece"] == pytest.approx(0.75 * abs(2 / 3 - 0.75) + 0.25 * 0.15)
    assert figures["logloss"] == pytest.approx(-(2 * math.log(0.75) + math.log(0.25) + math.log(0.85)) / 4)


def test_the_floors_know_shares_of_likes_only():
    events = [
        {"label": 1, "user_id": "a", "n_liked": 9, "n_events": 10},
        {"label": 0, "user_id": "b", "n_liked": 1, "n_events": 10},
    ]
    figures = floors(events)
    assert figures["always the same"]["auc"] == 0.5
    assert figures["user's share"]["auc"] == 1.0
    assert quality_table(figures).splitlines()[0].split() == [
        "V", "sees", "auc", "uauc", "uauc_low", "uauc_high", "logloss", "ece"
    ]  # fmt: skip


def test_what_a_reccot_adds_is_paired_by_event_and_its_interval_draws_whole_users():
    label = [1, 0] * 20
    user = [f"u{i // 2}" for i in range(40)]
    shown = {"none": [0.5] * 40, "shuffled": [0.9, 0.1] * 20, "G_1": [0.9, 0.1] * 20}
    figures = {name: difference(label, user, shown["G_1"], p) for name, p in shown.items() if name != "G_1"}
    assert set(figures) == {"none", "shuffled"}
    assert figures["none"]["auc"] == pytest.approx(0.5)
    assert figures["none"]["low"] == pytest.approx(0.5)
    assert figures["none"]["moved"] == pytest.approx(1.0)
    nothing = dict.fromkeys(("auc", "low", "high", "uauc", "uauc_low", "uauc_high", "moved"), 0.0)
    assert figures["shuffled"] == nothing | {"events": 40, "users": 20}


def held_out(*rows):
    """(user, label, offset) → rows of the hold-out; the item's name is its number."""
    return [
        {
            "user_id": user,
            "item_id": str(n),
            "event_time": n,
            "label": label,
            "n_liked": 1,
            "n_events": 2,
            "offset": odds,
        }
        for n, (user, label, odds) in enumerate(rows)
    ]


ROWS = held_out(("a", 1, 0.5), ("a", 0, -0.5), ("b", 1, 0.2), ("b", 0, 0.4))


def scored(*p, rows=ROWS):
    return {event_of(row): value for row, value in zip(rows, p, strict=False)}


def test_every_variant_and_floor_has_figures_and_the_last_g_is_compared_with_all_that_say_something():
    scores = {"none": scored(0.5, 0.5, 0.5, 0.5), "G_0": scored(0.9, 0.1, 0.2, 0.8), "G_1": scored(0.9, 0.1, 0.8, 0.2)}
    tables = holdout_tables(ROWS, scores, "G_1", {})
    assert list(tables["validator"]) == [CONSTANT, USER_SHARE, OFFSET, "G_0", "G_1", "none"]
    assert list(tables["differences"]) == [USER_SHARE, OFFSET, "G_0", "none"]
    assert tables["validator"]["G_1"]["uauc"] == 1.0
    assert tables["differences"][OFFSET]["uauc"] == pytest.approx(1.0 - 0.5), "the offset ranks a right and b wrong"


def test_events_that_v_could_not_read_in_one_variant_are_left_out_of_its_comparison_only():
    scores = {"shuffled": scored(0.4, 0.6), "none": scored(0.5, 0.5, 0.5, 0.5), "G_0": scored(0.9, 0.1, 0.2, 0.8)}
    tables = holdout_tables(ROWS, scores, "G_0", {})
    assert {name: row["events"] for name, row in tables["differences"].items()} == {
        USER_SHARE: 4, OFFSET: 4, "none": 4, "shuffled": 2,
    }  # fmt: skip
    assert tables["differences"]["shuffled"]["uauc"] == 1.0
    assert tables["differences"]["none"]["uauc"] == 0.0


def moves(tone, item, seed=0, users=50):
    """A row of differences of a V that moves by so much with a text's tone, and with what it says of the item."""
    random = np.random.default_rng(seed)
    rows = held_out(*((f"u{n % users}", int(random.random() < 0.5), 0.0) for n in range(8 * users)))
    # What a text says of an item: how kind it is altogether, and of this item.
    of_user = {name: {f"u{n}": random.normal() for n in range(users)} for name in ("G_0", "shuffled")}
    of_item = {name: {event_of(row): random.normal() for row in rows} for name in of_user}

    def both(name, a, b):
        return {event_of(r): a * of_user[name][r["user_id"]] + b * of_item[name][event_of(r)] for r in rows}

    scores = {
        name: {e: sigmoid(x + 0.5 * random.normal()) for e, x in both(name, tone, item).items()} for name in of_user
    }
    support = {name: both(name, 1, 1) for name in of_user}
    return holdout_tables(rows, scores | {"none": dict.fromkeys(scores["G_0"], 0.5)}, "G_0", support)["differences"]


def test_a_v_that_moves_with_what_the_texts_say_of_the_item_reads_whatever_the_labels_are():
    row = moves(tone=0, item=1)["shuffled"]
    assert row["reading_low"] > 0.5
    assert row["reading_low"] < row["reading"] < row["reading_high"]
    assert row["reading_users"] == 50
    assert "reading" not in moves(tone=0, item=1)["none"], "nobody said how far no RecCoT speaks for an item"


@pytest.mark.parametrize("tone", [0, 1])
def test_a_v_that_looks_at_no_item_does_not_read_whatever_it_makes_of_the_texts_tone(tone):
    row = moves(tone=tone, item=0)["shuffled"]
    assert row["reading_low"] < 0 < row["reading_high"]


def test_users_whose_items_are_spoken_of_alike_say_nothing_of_reading():
    rows = held_out(*((f"u{n % 5}", n % 2, 0.0) for n in range(40)))
    scores = {
        name: {event_of(r): sigmoid(np.sin(n + 40 * i)) for n, r in enumerate(rows)}
        for i, name in enumerate(("G_0", "x"))
    }
    support = {
        "G_0": {event_of(r): float(r["user_id"] == "u0" and r["label"]) for r in rows},
        "x": {event_of(r): 2.0 for r in rows},
    }
    assert holdout_tables(rows, scores, "G_0", support)["differences"]["x"]["reading_users"] == 1
