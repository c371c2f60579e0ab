"""A loop's outcome as a person reads it."""

import math

import pytest

from trackrec.feedback.loop_state import LoopState, LoopStep
from trackrec.report.rounds import one_history, print_measurement, round_tables
from trackrec.runtime.events import Outcome, Started
from trackrec.tables.lake import Lake


def quality(auc):
    return {"auc": auc, "uauc": math.nan, "logloss": 0.6, "ece": 0.1}


def measured(number, own, low, high):
    variants = {"always the same": quality(0.5), "user's share": quality(0.68), "none": quality(0.6)}
    variants |= {f"G_{number}": quality(own), "shuffled": quality(0.6)}
    texts = {"tokens": 50.0, "cut": 0.1, "empty": 0.0, "distinct": 1.0, "names a text": 2.0, "grounded": math.nan}
    pair = {"auc": own - 0.6, "low": low, "high": high, "moved": 0.3}
    tables = {"validator": variants, "reccots": {f"G_{number}": texts}, "differences": {"none": pair}}
    return Outcome("measure", tables=tables)


def greedy(number):
    return Outcome("generate", labels={"generator_version": f"g@{number}", "sampling": "{}"})


MARGINS = {"first_margin": 0.0, "last_margin": 0.21, "first_accuracy": 0.0, "last_accuracy": 0.8}
GROUPS = {"rows": 40, "groups kept": 6, "groups small_gap": 3, "groups one_distinct": 1}


@pytest.fixture
def loop(tmp_path):
    state = LoopState(tmp_path / "loop.json", "digest", 0)
    state.outcomes = {
        LoopStep(1, "greedy"): greedy(1),
        LoopStep(1, "measure"): measured(1, 0.7, 0.02, 0.18),
        LoopStep(1, "validate"): Outcome("validate", GROUPS),
        LoopStep(1, "align"): Outcome("align", figures=MARGINS),
        LoopStep(0, "greedy"): greedy(0),
        LoopStep(0, "measure"): measured(0, 0.65, -0.01, 0.11),
    }
    return state


@pytest.fixture
def report(loop):
    return round_tables(loop)


def test_every_round_has_a_line_for_each_that_v_sees_and_one_for_g(report):
    cells = [line.split() for line in report.splitlines()]
    assert ["0", "no", "RecCoT", "0.6000", "–", "0.6000", "0.1000"] in cells
    assert ["1", "another's", "G_1", "0.6000", "–", "0.6000", "0.1000"] in cells
    assert ["1", "G_1", "50.0000", "0.1000", "0.0000", "1.0000", "2.0000", "–"] in cells


def test_a_floor_that_is_not_beaten_and_a_gain_that_is_noise_are_said_so(report):
    assert "Round 0: V with G_0 (0.6500) does not beat the better floor (user's share, 0.6800)." in report
    assert "Round 0: G_0 against no RecCoT: AUC +0.0500 [-0.0100, +0.1100], cannot be told from 0;" in report
    assert "Round 1: V with G_1 (0.7000) beats the better floor" in report
    assert "AUC +0.1000 [+0.0200, +0.1800], helps; V's log-odds move by 0.30 of their spread." in report


def test_dropped_groups_are_counted_by_reason(report):
    assert "6 of 10 groups kept (dropped: 1 one_distinct, 3 small_gap); reward margin 0.000 → 0.210" in report


class Frame(list):
    def to_pylist(self):
        return list(self)


def lake_of(tmp_path, monkeypatch, **tables):
    lake = Lake(str(tmp_path))
    monkeypatch.setattr(lake, "read_columns", lambda name, _: Frame(tables[name]))
    return lake


def reccot(key, version, text, sampling="{}"):
    return {"prompt_key": key, "generator_version": version, "sampling": sampling, "text": text}


def history(key, body):
    return {"prompt_key": key, "user_id": "u", "n_events": 3, "prompt_body": body}


def test_one_history_is_shown_with_the_text_of_every_g_in_the_order_of_rounds(loop, tmp_path, monkeypatch):
    reccots = [reccot("k", f"g@{i}", f"Text of G_{i}.") for i in (0, 1)] + [reccot("other", "g@0", "Alone.")]
    histories = [history("k", "Body of k"), history("other", "Body of other")]
    lake = lake_of(tmp_path, monkeypatch, reccots=reccots, user_histories=histories)
    lines = one_history(lake, loop).splitlines()
    assert lines == ["User u, 3 events", "  Body of k", "G_0  Text of G_0.", "G_1  Text of G_1."]


def test_candidates_of_another_sampling_are_not_what_is_served(loop, tmp_path, monkeypatch):
    reccots = [reccot("k", f"g@{i}", f"Text of G_{i}.", sampling="{n: 4}") for i in (0, 1)]
    lake = lake_of(tmp_path, monkeypatch, reccots=reccots, user_histories=[history("k", "Body of k")])
    assert one_history(lake, loop) == "No history has a RecCoT of every round."


def test_escape_sequences_of_a_title_are_not_sent_to_the_terminal(loop, tmp_path, monkeypatch):
    reccots = [reccot("k", f"g@{i}", "A \x1b[31mred\x1b[0m text.") for i in (0, 1)]
    lake = lake_of(tmp_path, monkeypatch, reccots=reccots, user_histories=[history("k", "Liked: \x1b]0;x\x07")])
    assert "\x1b" not in one_history(lake, loop)


def test_the_hold_outs_table_is_printed_when_a_round_was_measured(capsys):
    for event in (Started("measure"), Outcome("tune"), measured(1, 0.7, 0.02, 0.18)):
        print_measurement(event)
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines[0] == ["V", "sees", "auc", "uauc", "logloss", "ece"]
    assert ["G_1", "0.7000", "nan", "0.6000", "0.1000"] in lines
    assert len(lines) == 7
