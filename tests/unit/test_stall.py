"""A worker in which no request finishes ends itself; one that is slow, or waits for Spark, does not."""

import time
from dataclasses import replace

import pytest

import udfs.stall
from tests.unit.test_pump import SPEC
from trackrec.engines.interface import Request
from trackrec.engines.scripted import ScriptedEngine
from trackrec.runtime.progress_channel import SILENT
from udfs.stall import StallGuard

SECONDS = 0.2


class EndedError(Exception):
    """What the process's end is in these tests."""


@pytest.fixture
def ends(monkeypatch):
    """The exit codes with which the process would have ended."""
    codes = []
    monkeypatch.setattr(udfs.stall, "os", type("os", (), {"_exit": codes.append}))
    return codes


@pytest.fixture
def guard():
    guard = StallGuard(ScriptedEngine(replace(SPEC, max_num_seqs=4)), SECONDS, SILENT)
    yield guard
    guard.close()


def run_for(guard: StallGuard, seconds: float) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        guard.step()


def test_a_request_that_never_finishes_ends_the_process(guard, ends):
    guard.submit(Request("a", "SCRIPT:hang", "", 0))
    run_for(guard, 3 * SECONDS)
    assert ends


def test_a_step_that_never_returns_ends_the_process(guard, ends, monkeypatch):
    monkeypatch.setattr(ScriptedEngine, "step", lambda self: time.sleep(3 * SECONDS))
    guard.step()
    assert ends


def test_while_others_finish_the_process_goes_on(guard, ends):
    guard.submit(Request("a", "SCRIPT:hang", "", 0))
    until = time.monotonic() + 3 * SECONDS
    number = 0
    while time.monotonic() < until:
        if guard.unfinished < 4:
            number += 1
            guard.submit(Request(str(number), f"prompt {number}", "", 0))
        guard.step()
    assert number > 10
    assert not ends


def test_the_time_between_steps_does_not_count(guard, ends):
    guard.submit(Request("a", "prompt", "", 0))
    time.sleep(3 * SECONDS)
    assert not ends
