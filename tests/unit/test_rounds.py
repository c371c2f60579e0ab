"""A loop's outcome as a person reads it."""

import json
import math

import pytest

from trackrec.feedback.loop_state import LoopState, LoopStep
from trackrec.report.loop_figures import loop_figures
from trackrec.report.rounds import one_history, print_measurement, round_tables
from trackrec.runtime.events import Outcome, Started
from trackrec.tables.lake import Lake


def quality(uauc):
    bounds = {"uauc_low": uauc - 0.04, "uauc_high": uauc + 0.04, "users": 40}
    return {"auc": math.nan, "uauc": uauc, **bounds, "logloss": 0.6, "ece": 0.1}


def pair(uauc, low, high):
    bounds = {"low": low, "high": high, "uauc_low": low, "uauc_high": high}
    return {"auc": uauc, "uauc": uauc, "moved": 0.3, "users": 40} | bounds


def texts(tokens):
    return {"tokens": tokens, "cut": 0.1, "empty": 0.0, "distinct": 1.0, "names a text": 2.0, "grounded": math.nan}


def measured(number, own, low, high, tokens=50.0):
    variants = {"always the same": quality(0.5), "none": quality(0.6)}
    variants |= {f"G_{number}": quality(own), "shuffled": quality(0.6)}
    reccots = {"G_0": texts(50.0), f"G_{number}": texts(tokens)}
    against = {other: pair(own - 0.6, low, high) for other in ("none", "offset alone", *(["G_0"] if number else []))}
    tables = {"validator": variants, "reccots": reccots, "differences": against}
    return Outcome("measure", {"events": 9, "users": 3}, tables=tables, seconds=60.0)


def gated(number, passed):
    return Outcome("gate", {"passed": int(passed)}, labels={"why": f"Round {number}: V_{number - 1} is weighed."})


def greedy(number):
    return Outcome("generate", labels={"generator_version": f"g@{number}", "sampling": "{}"})


MARGINS = {"first_margin": 0.0, "last_margin": 0.21, "first_accuracy": 0.0, "last_accuracy": 0.8}
GROUPS = {"rows": 40, "groups kept": 6, "groups small_gap": 3, "groups one_distinct": 1}
HELD_BACK = {
    "held_back": 0.003, "held_back_low": 0.001, "held_back_high": 0.005, "held_back_chosen_by": 0.02,
    "held_back_choices": 70, "held_back_users": 40,
}  # fmt: skip


@pytest.fixture
def loop(tmp_path):
    state = LoopState(tmp_path / "loop.json", "digest", 0)
    state.outcomes = {
        LoopStep(1, "greedy"): greedy(1),
        LoopStep(0, "distill"): Outcome("distill", labels={"source": "adapter:g0"}),
        LoopStep(1, "gate"): gated(1, True),
        LoopStep(1, "measure"): measured(1, 0.7, 0.02, 0.18, tokens=60.0),
        LoopStep(1, "validate"): Outcome("validate", GROUPS, {"length_corr": 0.21, **HELD_BACK}),
        LoopStep(1, "align"): Outcome("align", figures=MARGINS, labels={"source": "adapter:g1"}),
        LoopStep(0, "greedy"): greedy(0),
        LoopStep(0, "measure"): measured(0, 0.65, -0.01, 0.11),
    }
    return state


@pytest.fixture
def report(loop):
    return round_tables(loop, 1)


def test_every_round_has_a_line_for_each_that_v_sees_with_its_bounds_and_one_for_g(report):
    cells = [line.split() for line in report.splitlines()]
    assert ["0", "no", "RecCoT", "–", "0.6000", "0.5600", "0.6400", "0.6000", "0.1000"] in cells
    assert ["1", "another's", "G_1", "–", "0.6000", "0.5600", "0.6400", "0.6000", "0.1000"] in cells
    assert ["1", "G_1", "60.0000", "1.2000", "0.1000", "0.0000", "1.0000", "2.0000", "–"] in cells


def test_what_v_must_beat_is_judged_by_the_interval(report):
    assert "Round 0: V with G_0 against no RecCoT: UAUC +0.0500 [-0.0100, +0.1100], cannot be told from 0;" in report
    assert "Round 1: V with G_1 against the offset alone: UAUC +0.1000 [+0.0200, +0.1800], better; AUC" in report
    assert "AUC +0.1000 [+0.0200, +0.1800]; V's log-odds move by 0.30 of their spread." in report


def test_a_difference_over_few_users_with_both_labels_is_told_from_nothing(loop):
    loop.outcomes[LoopStep(1, "measure")].tables["differences"]["none"]["users"] = 29
    said = "Round 1: V with G_1 against no RecCoT: UAUC +0.1000 [+0.0200, +0.1800], cannot be told from 0, of only 29 "
    assert said in round_tables(loop, 1)


def test_a_g_that_learned_length_is_said_so(report):
    assert "Round 1: G_1 writes 1.20 times G_0's tokens, not within 15% of them." in report


def test_why_a_round_aligned_stands_before_what_came_of_it(report):
    assert report.index("Round 1: V_0 is weighed.") < report.index("Round 1: 6 of 10 groups kept")


@pytest.mark.parametrize(
    ("low", "high", "users", "said"),
    [
        (0.001, 0.005, 30, "it holds."),
        (0.001, 0.005, 29, "cannot be told from a choice by lot, of only 29 users."),
        (-0.001, 0.005, 30, "cannot be told from a choice by lot."),
        (-0.4, -0.1, 30, "it is worse than a choice by lot."),
    ],
)
def test_whether_what_v_prefers_by_some_events_holds_for_others_is_said(loop, low, high, users, said):
    figures = loop.outcomes[LoopStep(1, "validate")].figures
    figures.update(held_back_low=low, held_back_high=high, held_back_users=users)
    worth = f"worth +0.0200 of reward by these and +0.0030 [{low:+.4f}, {high:+.4f}] by the rest, of 70 choices"
    assert f"Round 1: what V prefers by half of the events is {worth}: {said}" in round_tables(loop, 1)


def test_the_g_to_serve_is_the_chosen_one_and_not_the_last(loop, report):
    assert report.endswith("Chosen: G_1; no other round was aligned.\n--set generator.model.source=adapter:g1")
    loop.outcomes[LoopStep(1, "measure")] = measured(1, 0.7, -0.02, 0.18)
    assert round_tables(loop, 1).endswith(
        "Chosen: G_0; no later one's gain on it has a lower bound above 0, over 30 users or more with both labels.\n"
        "--set generator.model.source=adapter:g0"
    )


@pytest.fixture
def closed(loop):
    """A loop that the gate ended before its first alignment."""
    kept = {LoopStep(0, kind): loop.outcomes[LoopStep(0, kind)] for kind in ("distill", "greedy", "measure")}
    loop.outcomes = kept | {LoopStep(1, "gate"): gated(1, False)}
    return loop


def test_a_round_that_the_gate_ended_says_so_and_g_0_is_chosen(closed):
    report = round_tables(closed, 2)
    end = "Round 1: G_0 is kept and the loop ends here; round 2 would ask the same V again."
    assert f"Round 1: V_0 is weighed.\n{end}" in report
    assert report.endswith("Chosen: G_0; no other round was aligned.\n--set generator.model.source=adapter:g0")


def test_a_round_that_aligned_against_the_gate_says_so(loop):
    loop.outcomes[LoopStep(1, "gate")] = gated(1, False)
    assert "V_0 is weighed.\nRound 1: G is aligned all the same, as loop.gate is report.\n" in round_tables(loop, 1)


def test_a_round_whose_candidates_v_cannot_tell_apart_says_so(closed):
    dropped = {"groups small_gap": 7, "groups one_distinct": 2}
    closed.outcomes |= {LoopStep(1, "gate"): gated(1, True), LoopStep(1, "validate"): Outcome("validate", dropped)}
    report = round_tables(closed, 1)
    assert (
        "Round 1: V prefers no candidate: none of 9 groups was kept (dropped: 2 one_distinct, 7 small_gap)." in report
    )
    assert "Round 1: G_0 is kept and the loop ends here.\n" in report


def test_the_report_says_whether_v_moves_as_the_texts_say(loop):
    rows = loop.outcomes[LoopStep(1, "measure")].tables["differences"]
    assert "correlation" not in round_tables(loop, 1), "an earlier version measured no such thing"
    found = {"reading": 0.412, "reading_low": 0.33, "reading_high": 0.5, "reading_users": 40}
    rows["none"] |= found
    rows["G_0"] |= found | {"reading_users": 3}
    report = round_tables(loop, 1)
    said = "of their spread, with what the texts say of the item's attributes at correlation +0.41 [+0.33, +0.50]."
    assert said in report
    assert report.count("at correlation") == 1


def test_the_figures_of_a_loop_are_of_its_last_round(loop):
    figures = loop_figures(loop)
    assert [row["round"] for row in figures["rounds"]] == [0, 1]
    shown = {name: figures[name] for name in ("aligned", "v_uauc", "v_uauc_low", "g_minus_g0", "length_corr", "chosen")}
    assert shown == {
        "aligned": 1, "v_uauc": 0.7, "v_uauc_low": 0.66, "g_minus_g0": 0.1, "length_corr": 0.21, "chosen": 1,
    }  # fmt: skip
    assert (figures["length_vs_g0"], figures["v_minus_offset_low"], figures["minutes"]) == (1.2, 0.02, 2.0)
    assert (figures["held_back"], figures["held_back_low"]) == (0.003, 0.001)
    assert {name: figures["rounds"][1][name] for name in HELD_BACK} == HELD_BACK
    assert figures["own_minus_shuffled_low"] is None, "it was not measured here"
    assert figures["rounds"][1]["groups"] == {"kept": 6, "one_distinct": 1, "small_gap": 3}
    json.dumps(figures, allow_nan=False)


def test_the_figures_of_a_loop_that_the_gate_ended_are_of_the_round_before(closed):
    figures = loop_figures(closed)
    assert [(row["round"], row.get("gate_passed")) for row in figures["rounds"]] == [(0, None), (1, False)]
    assert (figures["aligned"], figures["v_uauc"], figures["g_minus_g0"], figures["length_corr"]) == (
        0,
        0.65,
        None,
        None,
    )


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
    assert lines[0] == ["V", "sees", "auc", "uauc", "uauc_low", "uauc_high", "logloss", "ece"]
    assert ["G_1", "nan", "0.7000", "0.6600", "0.7400", "0.6000", "0.1000"] in lines
    assert len(lines) == 7
