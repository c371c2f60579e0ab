"""An engine without a model, for tests of the plumbing: its text is a function of the request alone.

Markers in a prompt steer it: ``SCRIPT:crash`` raises in step, ``SCRIPT:empty`` writes nothing, ``SCRIPT:cut`` is ended
by the token limit in mid-sentence, ``SCRIPT:fail`` is a permanent and ``SCRIPT:flaky`` a transient fault;
``SCRIPT:kill`` ends the process without a word, as the system does where memory runs out, ``SCRIPT:hang`` never
finishes, and ``SCRIPT:slow`` takes as long for each word as a small model does.
"""

from __future__ import annotations

import hashlib
import math
import os
import time

from trackrec.engines.interface import Completion, Finished, Request
from trackrec.engines.spec import EngineSpec

_HANGING_SECONDS = 0.001  # of a step with a request that never finishes
_SLOW_SECONDS = 0.06  # of a step with a slow request
_WORDS = ("stories", "of", "quiet", "heroes", "and", "bold", "voyages", "with", "warm", "humour")


class ScriptedEngine:
    """Decodes one word a step for at most ``max_num_seqs`` requests; lengths (3 to 40 words) vary by hash."""

    name = "scripted"

    def __init__(self, spec: EngineSpec) -> None:
        self._spec = spec
        self._in_flight: dict[str, tuple[Request, float, int]] = {}  # request, submitted at, steps still to take

    @property
    def unfinished(self) -> int:
        """Requests submitted and not yet returned by ``step``."""
        return len(self._in_flight)

    def submit(self, request: Request) -> None:
        """Queue one request."""
        steps = max(len(text.split()) for text in self._texts(request)) or 1
        self._in_flight[request.key] = (request, time.perf_counter(), steps)

    def step(self) -> list[Finished]:
        """One word for every running request; RuntimeError when one of them says SCRIPT:crash."""
        done: list[Finished] = []
        running = list(self._in_flight)[: self._spec.max_num_seqs]
        if any("SCRIPT:slow" in self._in_flight[key][0].prompt for key in running):
            time.sleep(_SLOW_SECONDS)
        for key in running:
            request, started, steps = self._in_flight[key]
            if "SCRIPT:crash" in request.prompt:
                raise RuntimeError("the script says crash")
            if "SCRIPT:kill" in request.prompt:
                os._exit(1)
            if "SCRIPT:hang" in request.prompt:
                time.sleep(_HANGING_SECONDS)
                continue
            if steps > 1:
                self._in_flight[key] = (request, started, steps - 1)
                continue
            del self._in_flight[key]
            done.append(self._finish(request, 1000 * (time.perf_counter() - started)))
        return done

    def abort(self) -> None:
        """Drop everything in flight."""
        self._in_flight.clear()

    def close(self) -> None:
        """Nothing to give back."""

    def _finish(self, request: Request, latency_ms: float) -> Finished:
        if "SCRIPT:fail" in request.prompt:
            return Finished.failed(request.key, "scripted_fault: the script says fail", "permanent")
        if "SCRIPT:flaky" in request.prompt:
            return Finished.failed(request.key, "scripted_fault: the script says flaky", "transient")
        if self._spec.answers:
            return Finished(request.key, (), len(request.prompt.split()), latency_ms, scores=_scores(request.prompt))
        reason = "length" if "SCRIPT:cut" in request.prompt else "stop"
        samples = tuple(Completion(request.opening + t, len(t.split()), reason) for t in self._texts(request))
        return Finished(request.key, samples, len(request.prompt.split()), latency_ms)

    def _texts(self, request: Request) -> list[str]:
        if "SCRIPT:empty" in request.prompt:
            return [" "] * self._spec.sampling.n
        greedy = self._spec.sampling.temperature == 0
        seeds = [0 if greedy else request.seed + i for i in range(self._spec.sampling.n)]
        return [_text(request.prompt, seed, cut="SCRIPT:cut" in request.prompt) for seed in seeds]


def _scores(prompt: str) -> tuple[float, float]:
    """Log-probabilities of two answers between .02 and .98."""
    p = 0.02 + 0.96 * int(hashlib.sha256(prompt.encode()).hexdigest()[:8], 16) / 2**32
    return math.log(p), math.log(1 - p)


def _text(prompt: str, seed: int, *, cut: bool) -> str:
    digest = hashlib.sha256(f"{seed}\n{prompt}".encode()).digest()
    words = [_WORDS[digest[i % 32] % len(_WORDS)] for i in range(2 + digest[0] % 38)]
    return f" {' '.join(words)}. And then" if cut else f" {' '.join(words)} {digest.hex()[:6]}."
