import math

import pytest

from trackrec.feedback.metrics import differences, floors, quality, quality_table


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
    assert quality_table(figures).splitlines()[0].split() == ["V", "sees", "auc", "uauc", "logloss", "ece"]


def test_what_a_reccot_adds_is_paired_by_event_and_its_interval_draws_whole_users():
    label = [1, 0] * 20
    user = [f"u{i // 2}" for i in range(40)]
    shown = {"none": [0.5] * 40, "shuffled": [0.9, 0.1] * 20, "G_1": [0.9, 0.1] * 20}
    figures = differences(shown, label, user, "G_1")
    assert set(figures) == {"none", "shuffled"}
    assert figures["none"]["auc"] == pytest.approx(0.5)
    assert figures["none"]["low"] == pytest.approx(0.5)
    assert figures["none"]["moved"] == pytest.approx(1.0)
    assert figures["shuffled"] == {"auc": 0.0, "low": 0.0, "high": 0.0, "moved": 0.0}
