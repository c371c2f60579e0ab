"""The interface of an engine: submit requests, step, take what has finished."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

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
        """Drop everything in flight; the engine serves later requests."""
        ...

    def close(self) -> None:
        """Give memory back; the engine cannot be used again."""
        ...
