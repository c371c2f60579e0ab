"""The engine of a V without an LLM: it has no opinion, so V is its offset alone (``feedback/reader.py``)."""

from __future__ import annotations

from trackrec.engines.interface import Finished, Request
from trackrec.engines.spec import EngineSpec
from trackrec.runtime.errors import BadInputError


class CountedScorer:
    """Both answers are as likely to every request, at no cost: log-odds of 0, and the caller adds the offset."""

    name = "counted"

    def __init__(self, spec: EngineSpec) -> None:
        if not spec.answers:
            raise BadInputError("engine counted judges and cannot write.", "Name another engine for G.")
        self._waiting: list[str] = []

    @property
    def unfinished(self) -> int:
        """Requests submitted and not yet returned by ``step``."""
        return len(self._waiting)

    def submit(self, request: Request) -> None:
        """Queue one request."""
        self._waiting.append(request.key)

    def step(self) -> list[Finished]:
        """All of them."""
        done, self._waiting = self._waiting, []
        return [Finished(key, (), 0, 0.0, scores=(0.0, 0.0)) for key in done]

    def abort(self) -> None:
        """Drop everything in flight."""
        self._waiting.clear()

    def close(self) -> None:
        """Nothing to give back."""
