"""Keeps an engine fed across batches, and finds the request that breaks it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from trackrec.engines.interface import Engine, Finished, Request

T = TypeVar("T")
FAULT = "engine_fault"  # the code of a request that made a step raise


def pump(
    batches: Iterator[T], engine: Engine, to_requests: Callable[[T], Iterable[Request]], high_water: int
) -> Iterator[Finished]:
    """Exactly one Finished for every request of ``batches``, in the order in which they finish.

    Batches are pulled while fewer than ``high_water`` requests are unfinished, so a batch's stragglers run together
    with the next batch (one call per batch was 4.7 times slower). When a step raises, the culprit is found by
    bisection and becomes a permanent fault; all others finish. Raises the engine's own error when it fails for
    every one of several requests: then the engine is broken, not a row.
    """
    waiting = _requests(batches, to_requests)
    flying: dict[str, Request] = {}
    more = True
    while more or flying:
        while more and engine.unfinished < high_water:
            request = next(waiting, None)
            if request is None:
                more = False
                break
            if request.key in flying:
                raise ValueError(f"request {request.key} is in flight already")
            rejected = _submit(engine, request)
            if rejected is not None:
                yield rejected
            else:
                flying[request.key] = request
        if not flying:
            continue
        for finished in _step(engine, flying):
            del flying[finished.key]
            yield finished


def _requests(batches: Iterator[T], to_requests: Callable[[T], Iterable[Request]]) -> Iterator[Request]:
    for batch in batches:
        yield from to_requests(batch)


def _submit(engine: Engine, request: Request) -> Finished | None:
    try:
        engine.submit(request)
    except Exception as error:
        return Finished.failed(request.key, _describe(error), "permanent")
    return None


def _step(engine: Engine, flying: dict[str, Request]) -> list[Finished]:
    try:
        return engine.step()
    except Exception:
        engine.abort()
        outcomes = _bisect(engine, list(flying.values()))
        if len(outcomes) > 1 and all((outcome.error or "").startswith(FAULT) for outcome in outcomes):
            raise
        return outcomes


def _bisect(engine: Engine, suspects: list[Request]) -> list[Finished]:
    """Outcomes of all ``suspects``: log2(n) runs of ever smaller groups until the one that raises stands alone."""
    outcomes: list[Finished] = []
    groups = deque([suspects])
    while groups:
        group = groups.popleft()
        done, error = _run_alone(engine, group)
        outcomes += done
        ended = {outcome.key for outcome in done}
        left = [request for request in group if request.key not in ended]
        if error is None or not left:
            continue
        if len(group) == 1:
            outcomes.append(Finished.failed(left[0].key, _describe(error), "permanent"))
        else:
            half = (len(left) + 1) // 2
            groups.extend(part for part in (left[:half], left[half:]) if part)
    return outcomes


def _run_alone(engine: Engine, group: list[Request]) -> tuple[list[Finished], Exception | None]:
    """Run only ``group``; what finished, and the error that ended it early."""
    done: list[Finished] = []
    try:
        for request in group:
            engine.submit(request)
        while engine.unfinished:
            done += engine.step()
    except Exception as error:
        engine.abort()
        return done, error
    return done, None


def _describe(error: Exception) -> str:
    return f"{FAULT}: {type(error).__name__}: {' '.join(str(error).split())[:300]}"
