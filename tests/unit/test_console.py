import io
import re
import sys
import time

import pytest

from trackrec.runtime.console import Console
from trackrec.runtime.errors import BadInputError
from trackrec.runtime.events import Notice, Outcome, Progress, Started, Stopped
from trackrec.runtime.failure import keep_traceback, print_error


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


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def narrow(monkeypatch):
    """Makes standard output a terminal of 40 characters (called in the test, for pytest sets stdout before that)."""
    for name, value in {"TERM": "xterm-256color", "COLUMNS": "40", "LINES": "20"}.items():
        monkeypatch.setenv(name, value)

    def terminal():
        monkeypatch.setattr(sys, "stdout", Terminal())
        return sys.stdout

    return terminal


def test_a_line_to_be_copied_stays_in_one_piece_in_a_narrow_terminal_with_bars(narrow):
    terminal, show = narrow(), Console().show
    line = "--set generator.model.source=adapter:/a/folder/that/is/longer/than/the/terminal [bold]/adapter"
    table = "arm      " + "0.123   " * 8
    show(Started("loop"))
    show(Progress("loop", 1, 2, "steps"))
    show(Notice("loop", line))
    print(table)
    show(Outcome("loop", labels={"use": line}))
    assert f"loop       {line}\n" in terminal.getvalue()
    assert f"{table}\n" in terminal.getvalue()
    assert f"use {line} · " in terminal.getvalue()


def test_bars_fit_into_a_narrow_terminal(narrow):
    terminal, show = narrow(), Console().show
    show(Started("a stage with a long name"))
    show(Progress("a stage with a long name", 1_000_000, 2_000_000, "judgements"))
    show(Notice("loop", "short"))
    show(Stopped("a stage with a long name"))
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", terminal.getvalue())
    assert max(len(line) for line in re.split(r"[\r\n]", plain)) <= 40


def test_figures_that_are_whole_numbers_have_no_decimals_and_shares_have_three(show, capsys):
    show(Outcome("measure", figures={"groups": 12.0, "big": 12345.0, "coverage": 1.0, "gain": 0.0, "auc": 0.51234}))
    line = capsys.readouterr().out
    assert "groups 12 · big 12,345 · coverage 1.000 · gain 0.000 · auc 0.512" in line


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a\nerror: forged", "a\\nerror: forged"),
        ("a\u2028b\x85c\rd", "a\\u2028b\\x85c\\x0dd"),
        ("\u202egnp.exe", "\\u202egnp.exe"),
        ("half \ud83d of a pair", "half \\ud83d of a pair"),
        ("👩‍🔬 é नि [red]x[/]", "👩‍🔬 é नि [red]x[/]"),
    ],
)
def test_a_text_is_one_line_and_stands_as_it_is_read(show, capsys, text, said):
    show(Notice("loop", text))
    assert capsys.readouterr().out == f"loop       {said}\n"


@pytest.mark.parametrize("text", ["[red]x", "[/]", "[bold", "[link=file:///etc/passwd]t[/link]", ":smile:"])
def test_markup_of_a_text_neither_styles_nor_crashes_beside_bars(narrow, text):
    terminal, show = narrow(), Console().show
    show(Started(text))
    show(Progress(text, 1, 2, text))
    show(Notice("loop", text))
    print_error(BadInputError(f"user {text} is unknown.", "Look."))
    show(Outcome(text, labels={"user": text}))
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", terminal.getvalue())
    assert f"loop       {text}\n" in plain
    assert f"user {text} · " in plain
    assert not re.search(r"\x1b\[(1|31)m|\x1b\]8;", terminal.getvalue().split("loop  ")[1].split("\n")[0])


def test_an_error_that_quotes_an_id_is_one_line_without_escape_sequences(capsys, tmp_path):
    assert print_error(BadInputError("user \x1b[2J\nerror: forged is unknown.", "Look.")) == 2
    assert capsys.readouterr().err == "error: user \\x1b[2J\\nerror: forged is unknown. Look.\n"


def test_a_traceback_is_printed_and_kept_without_escape_sequences(capsys, tmp_path):
    keep_traceback(KeyError("\x1b[2J"), str(tmp_path))  # a folder: cannot be written
    keep_traceback(ValueError("\x1b[2J"), str(tmp_path / "log"))
    assert "\x1b" not in capsys.readouterr().err + (tmp_path / "log").read_text()
