import time

import pytest

from trackrec.runtime.console import Console
from trackrec.runtime.events import Notice, Outcome, Progress, Started, Stopped


@pytest.fixture
def show():
    return Console().show


def test_a_stage_prints_one_line_with_counts_and_rates(show, capsys):
    show(Started("encode"))
    show(Outcome("encode", {"rows": 1200, "unchanged": 3}, {"coverage": 1.0}, {"version": "v1"}, seconds=2.0))
    out = capsys.readouterr().out
    assert out == "encode     1,200 rows · 3 unchanged · 600.0 rows/s · coverage 1.000 · version v1 · 2.0 s\n"


def test_a_stage_that_fails_prints_no_summary(show, capsys):
    show(Started("encode"))
    show(Stopped("encode"))
    assert capsys.readouterr().out == ""


def test_a_stage_that_takes_long_says_how_far_it_is(show, capsys, monkeypatch):
    monkeypatch.setattr("trackrec.runtime.console._SILENT_SECONDS", 0.05)
    monkeypatch.setattr("trackrec.runtime.console._LINE_SECONDS", 0.05)
    show(Started("generate"))
    show(Progress("generate", 250, 1000, "RecCoTs"))
    time.sleep(0.3)
    show(Stopped("generate"))
    assert capsys.readouterr().out.startswith("generate   … 250 of 1,000 RecCoTs, about ")


def test_escape_sequences_of_a_text_never_reach_the_terminal(show, capsys):
    show(Notice("loop", "user \x1b[31mred\x1b[0m\x07"))
    assert capsys.readouterr().out == "loop       user \\x1b[31mred\\x1b[0m\\x07\n"
