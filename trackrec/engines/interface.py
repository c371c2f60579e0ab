"""The interface of an engine: submit requests, step, take what has finished."""

from __future__ import annotations

import importlib.util
import sys
from dataclasses import dataclass, fields
from typing import Any, Literal, Protocol

from trackrec.models.resolve import Model
from trackrec.models.threads import use_threads
from trackrec.runtime.errors import BadInputError
from trackrec.runtime.settings import EngineSettings, GeneratorSettings, SamplingSettings, ValidatorSettings

ErrorKind = Literal["transient", "permanent"]


@dataclass(frozen=True)
class Request:
    """One prompt: the body of the user's message, the ``opening`` of the answer (may be empty), and its seed.

    ``key`` is unique among the requests in flight. Sample i of the request is drawn with ``seed + i``.
    """

    key: str
    prompt: str
    opening: str
    seed: int


@dataclass(frozen=True)
class Completion:
    """One sample: ``text`` is the opening and its continuation; ``finish_reason`` is stop or length."""

    text: str
    output_tokens: int
    finish_reason: str


@dataclass(frozen=True)
class Finished:
    """The outcome of one request: its completions in sample order, or an error ``code: detail`` and none.

    ``latency_ms`` runs from submit to the last token of the last sample.
    """

    key: str
    completions: tuple[Completion, ...]
    prompt_tokens: int
    latency_ms: float
    error: str | None = None
    error_kind: ErrorKind | None = None
    scores: tuple[float, ...] = ()  # of EngineSpec.answers: log-probabilities (nats) up to one constant a request

    @classmethod
    def failed(cls, key: str, error: str, kind: ErrorKind, prompt_tokens: int = 0) -> Finished:
        """The outcome of a request that has no text."""
        return cls(key, (), prompt_tokens, 0.0, error, kind)


class Engine(Protocol):
    """Continuous batching: ``submit`` queues, ``step`` decodes a little; requests finish in any order."""

    name: str

    @property
    def unfinished(self) -> int:
        """Requests submitted and not yet returned by ``step``."""
        ...

    def submit(self, request: Request) -> None:
        """Queue one request. A prompt that cannot be served comes back from ``step`` as a permanent fault."""
        ...

    def step(self) -> list[Finished]:
        """Advance all requests in flight; returns those that finished, often none."""
        ...

    def abort(self) -> None:
        """Drop everything in flight."""
        ...

    def close(self) -> None:
        """Give memory back; the engine cannot be used again."""
        ...


@dataclass(frozen=True)
class EngineSpec:
    """Everything an engine is built from; travels to the executors by pickle. Units as in GeneratorSettings.

    With ``answers`` the engine writes nothing: a request is one prefill that scores each answer as what comes next.
    """

    model: Model
    engine: str
    sampling: SamplingSettings
    opening: str = ""
    answers: tuple[str, ...] = ()
    dtype: str = "bfloat16"
    deterministic: bool = False
    max_model_len: int = 1024
    max_num_seqs: int = 64
    high_water: int = 128
    kv_cache_gb: int = 2
    threads: int = 2

    @classmethod
    def of(cls, settings: GeneratorSettings, model: Model, opening: str = "") -> EngineSpec:
        """The spec of G that the settings name; ``opening`` is the template's."""
        return cls(model=model, sampling=settings.sampling, opening=opening, **_shared(settings))

    @classmethod
    def judging(cls, settings: ValidatorSettings, model: Model) -> EngineSpec:
        """The spec of V that the settings name."""
        return cls(model=model, sampling=SamplingSettings(), answers=settings.answers, **_shared(settings))


def _shared(settings: EngineSettings) -> dict[str, Any]:
    names = {field.name for field in fields(EngineSpec)} & set(EngineSettings.model_fields)
    return {name: getattr(settings, name) for name in names}


def build_engine(spec: EngineSpec) -> Engine:
    """Start the engine that ``spec`` names, in this process. ``auto`` is vLLM, or transformers where it is missing."""
    name = spec.engine
    if name == "auto":
        name = "vllm" if importlib.util.find_spec("vllm") else "transformers"
        if name == "transformers":
            print(
                "trackrec: vLLM is not installed; the transformers engine runs, about 4 times slower.", file=sys.stderr
            )
    if name != "scripted":
        use_threads(spec.threads)
    if name == "vllm":
        from trackrec.engines.vllm import VllmEngine, VllmScorer

        return VllmScorer(spec) if spec.answers else VllmEngine(spec)
    if name == "transformers":
        from trackrec.engines.transformers import TransformersEngine
        from trackrec.engines.transformers_scorer import TransformersScorer

        return TransformersScorer(spec) if spec.answers else TransformersEngine(spec)
    if name == "scripted":
        from trackrec.engines.scripted import ScriptedEngine

        return ScriptedEngine(spec)
    raise BadInputError(f"engine {name!r} is not known.", "Write auto, vllm, transformers or scripted.")
