"""A loop's outcome as a person reads it."""

import pytest

from trackrec.report.rounds import one_history, rounds
from trackrec.tables.lake import Lake


def quality(auc):
    return {"auc": auc, "uauc": None, "logloss": 0.6, "ece": 0.1}


def measured(number, own, low, high):
    variants = {"always the same": quality(0.5), "user's share": quality(0.68), "none": quality(0.6)}
    variants |= {f"G_{number}": quality(own), "shuffled": quality(0.6)}
    told = {"tokens": 50.0, "cut": 0.1, "empty": 0.0, "distinct": 1.0, "names a text": 2.0, "grounded": None}
    pair = {"auc": own - 0.6, "low": low, "high": high, "moved": 0.3}
    return {"validator": variants, "reccots": {f"G_{number}": told}, "differences": {f"G_{number} - none": pair}}


DONE = {
    "distill 0": {"version": "g@0"},
    "measure 0": measured(0, 0.65, -0.01, 0.11),
    "validate 1": {"groups": {"kept": 6, "small_gap": 3, "one_distinct": 1}},
    "align 1": {
        "version": "g@1",
        "metrics": {"first_margin": 0.0, "last_margin": 0.21, "first_accuracy": 0.0, "last_accuracy": 0.8},
    },
    "measure 1": measured(1, 0.7, 0.02, 0.18),
}


@pytest.fixture
def told():
    return rounds(DONE)


def test_every_round_has_a_line_for_each_that_v_sees_and_one_for_g(told):
    cells = [line.split() for line in told.splitlines()]
    assert ["0", "no", "RecCoT", "0.6000", "–", "0.6000", "0.1000"] in cells
    assert ["1", "another's", "G_1", "0.6000", "–", "0.6000", "0.1000"] in cells
    assert ["1", "G_1", "50.0000", "0.1000", "0.0000", "1.0000", "2.0000", "–"] in cells


def test_a_floor_that_is_not_beaten_and_a_gain_that_is_noise_are_said_so(told):
    assert "Round 0: V with G_0 (0.6500) does not beat the better floor (user's share, 0.6800)." in told
    assert "Round 0: G_0 against no RecCoT: AUC +0.0500 [-0.0100, +0.1100], cannot be told from 0;" in told
    assert "Round 1: V with G_1 (0.7000) beats the better floor" in told
    assert "AUC +0.1000 [+0.0200, +0.1800], helps; V's log-odds move by 0.30 of their spread." in told


def test_dropped_groups_are_counted_by_reason(told):
    assert "6 of 10 groups kept (dropped: 1 one_distinct, 3 small_gap); reward margin 0.000 → 0.210" in told


def test_one_history_is_told_by_every_g_in_the_order_of_rounds(tmp_path, monkeypatch):
    rows = {
        "reccots": [
            {"prompt_key": "k", "generator_version": f"g@{i}", "sampling": "{}", "text": f"Text of G_{i}."}
            for i in (0, 1)
        ]
        + [{"prompt_key": "other", "generator_version": "g@0", "sampling": "{}", "text": "Alone."}],
        "user_histories": [
            {"prompt_key": key, "user_id": "u", "n_events": 3, "prompt_body": f"Body of {key}"}
            for key in ("k", "other")
        ],
    }

    class Frame(list):
        def to_pylist(self):
            return list(self)

    lake = Lake(str(tmp_path))
    monkeypatch.setattr(lake, "read_columns", lambda name, _: Frame(rows[name]))
    told = one_history(lake, dict(sorted(DONE.items())), "{}")  # as the file of outcomes has them
    assert told.splitlines() == ["User u, 3 events", "  Body of k", "G_0  Text of G_0.", "G_1  Text of G_1."]
    assert one_history(lake, DONE, "{other}") == "No history has a RecCoT of every round."
