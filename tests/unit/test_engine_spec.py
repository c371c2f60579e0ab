"""What decides a text besides weights and sampling has a name."""

from dataclasses import replace

import pytest

from trackrec.engines import spec as engine_spec
from trackrec.engines.build import build_engine
from trackrec.engines.interface import Request
from trackrec.engines.spec import EngineSpec, compute_of, resolved_engine
from trackrec.models.resolve import Model
from trackrec.runtime.errors import BadInputError
from trackrec.runtime.settings import EngineSettings, SamplingSettings

SPEC = EngineSpec(Model("", "m", "m@0", "path:m", ""), "vllm", SamplingSettings())


@pytest.fixture
def vllm_missing(monkeypatch):
    resolved_engine.cache_clear()
    monkeypatch.setattr(engine_spec.importlib.util, "find_spec", lambda name: None)
    yield
    resolved_engine.cache_clear()


@pytest.mark.parametrize(
    ("settings", "compute"),
    [
        ({"engine": "vllm"}, "vllm.bfloat16"),
        ({"engine": "vllm", "dtype": "float32", "deterministic": True}, "vllm.float32.deterministic"),
        ({"engine": "vllm", "deterministic": True}, "vllm.bfloat16.deterministic"),
        ({"engine": "transformers", "dtype": "float32"}, "transformers.float32"),
        ({"engine": "packed", "dtype": "float32"}, "packed.float32"),
        ({"engine": "scripted", "deterministic": True}, "scripted"),
        ({"engine": "counted", "dtype": "float32"}, "counted"),
    ],
)
def test_engine_dtype_and_deterministic_name_the_arithmetic(settings, compute):
    assert compute_of(EngineSettings(**settings)) == compute


def test_auto_is_the_engine_that_runs(vllm_missing):
    assert compute_of(EngineSettings(engine="auto")) == "transformers.bfloat16"
    assert replace(SPEC, engine="auto").resolved() == replace(SPEC, engine="transformers")


def test_a_slower_engine_is_announced_once(vllm_missing, capsys):
    assert [resolved_engine("auto"), resolved_engine("auto")] == ["transformers"] * 2
    assert capsys.readouterr().err.count("about 4 times slower") == 1


def test_an_engine_that_is_named_is_not_announced(vllm_missing, capsys):
    assert resolved_engine("transformers") == "transformers"
    assert capsys.readouterr().err == ""


def test_an_unknown_engine_is_bad_input():
    with pytest.raises(BadInputError, match="'tgi' is not known"):
        build_engine(replace(SPEC, engine="tgi"))


@pytest.mark.parametrize("name", ["packed", "counted"])
def test_an_engine_that_only_judges_is_refused_for_g(name):
    with pytest.raises(BadInputError, match=f"{name} judges and cannot write"):
        build_engine(replace(SPEC, engine=name))


def test_a_v_without_an_llm_answers_every_request_and_has_no_opinion():
    engine = build_engine(replace(SPEC, engine="counted", answers=("Yes", "No")))
    for key in ("a", "b"):
        engine.submit(Request(key, "a prompt", "", 0))
    assert engine.unfinished == 2
    assert [(done.key, done.scores, done.error) for done in engine.step()] == [
        ("a", (0.0, 0.0), None),
        ("b", (0.0, 0.0), None),
    ]
    assert engine.unfinished == 0
