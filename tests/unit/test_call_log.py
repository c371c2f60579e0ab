"""What an engine was asked for is on disk before it is asked, and what it answered after."""

import json

from tests.unit.test_pump import SPEC
from trackrec.engines.build import build_engine
from trackrec.engines.interface import Request


def test_without_the_variable_an_engine_is_as_it_is(monkeypatch):
    monkeypatch.delenv("TRACKREC_CALL_LOG", raising=False)
    assert type(build_engine(SPEC)).__name__ == "ScriptedEngine"


def test_each_request_is_logged_before_the_engine_has_it_and_when_it_is_finished(tmp_path, monkeypatch):
    monkeypatch.setenv("TRACKREC_CALL_LOG", str(tmp_path / "calls"))
    engine = build_engine(SPEC)

    def calls():
        lines = [json.loads(line) for line in (tmp_path / "calls").read_text().splitlines()]
        return [(call["event"], call["key"], call["tokens"]) for call in lines]

    engine.submit(Request("a", "prompt", "", 0))
    assert calls() == [("started", "a", 0)]
    (finished,) = [outcome for _ in range(100) for outcome in engine.step()]
    assert calls()[1:] == [("finished", "a", finished.completions[0].output_tokens)]


def test_two_engines_share_a_file(tmp_path, monkeypatch):
    monkeypatch.setenv("TRACKREC_CALL_LOG", str(tmp_path / "calls"))
    for key in ("a", "b"):
        build_engine(SPEC).submit(Request(key, "prompt", "", 0))
    assert [json.loads(line)["key"] for line in (tmp_path / "calls").read_text().splitlines()] == ["a", "b"]
