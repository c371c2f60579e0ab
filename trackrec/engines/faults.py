"""Which requests make an engine fail, and what kind of fault that is."""

from __future__ import annotations

import traceback
import uuid
from collections import deque
from collections.abc import Iterator

from trackrec.engines.interface import Engine, Finished, Request

FAULT = "engine_fault"  # the code of a request that makes a step raise: permanent
OUT_OF_MEMORY = "out_of_memory"  # the code of one for which memory does not suffice, now and here: transient
_ALLOCATION_FAILED = ("out of memory", "allocate memory", "alloc_failed")  # of CUDA, the CPU's allocator, cuBLAS
_DESCRIBED_CHARACTERS = 300


def isolate(engine: Engine, suspects: list[Request], error: Exception) -> list[Finished]:
    """The outcome of each of ``suspects``, which were in flight when ``error`` ended a step.

    First a canary, a short prompt that no row decides, runs alone: where it fails too the engine is broken, and
    ``error`` is raised. Else groups run apart, log2(n) times halved, until the requests that raise stand alone; before
    one is blamed a canary shows that the engine outlived it. Out of memory, a group is halved like any other.
    """
    release_frames(error)
    _require_alive(engine, error)
    outcomes: list[Finished] = []
    groups = deque([suspects])
    while groups:
        group = groups.popleft()
        finished, failure = _run_alone(engine, group)
        outcomes += finished
        if failure is None:
            continue
        keys = {outcome.key for outcome in finished}
        left = [request for request in group if request.key not in keys]
        if len(group) > 1:
            half = (len(left) + 1) // 2
            groups.extend(part for part in (left[:half], left[half:]) if part)
        else:
            _require_alive(engine, error)
            outcomes += [_fault_of(request, failure) for request in left]
    return outcomes


def _fault_of(request: Request, error: Exception) -> Finished:
    """The outcome of a request that failed alone: a permanent fault, or a transient one where memory ran out."""
    if _is_out_of_memory(error):
        return Finished.failed(request.key, f"{OUT_OF_MEMORY}: {_described(error)}", "transient")
    return Finished.failed(request.key, f"{FAULT}: {_described(error)}", "permanent")


def _require_alive(engine: Engine, error: Exception) -> None:
    """Raise ``error`` unless the engine, emptied, serves a canary."""
    canary = Request(f"canary {uuid.uuid4()}", "Say yes.", "", 0)
    _, failure = _run_alone(engine, [canary])
    if failure is not None:
        raise error


def _run_alone(engine: Engine, group: list[Request]) -> tuple[list[Finished], Exception | None]:
    """Empty the engine and run only ``group``: what finished, and the error that ended it early."""
    finished: list[Finished] = []
    try:
        engine.abort()
        for request in group:
            engine.submit(request)
        while engine.unfinished:
            finished += engine.step()
    except Exception as error:
        release_frames(error)
        return finished, error
    return finished, None


def release_frames(error: Exception) -> None:
    """Free what a failed step's local variables hold, on a GPU its tensors, while the error itself is kept."""
    for link in _chain(error):
        traceback.clear_frames(link.__traceback__)


def _is_out_of_memory(error: Exception) -> bool:
    """By name and message, for CPU machines without torch: MemoryError, torch.OutOfMemoryError, failed allocations."""
    return any(_allocation_failed(link) for link in _chain(error))


def _allocation_failed(error: BaseException) -> bool:
    names = {kind.__name__ for kind in type(error).__mro__}
    message = str(error).lower()
    return bool(names & {"MemoryError", "OutOfMemoryError"}) or any(words in message for words in _ALLOCATION_FAILED)


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error and those that it came from."""
    link: BaseException | None = error
    while link is not None:
        yield link
        link = link.__cause__ or link.__context__


def _described(error: Exception) -> str:
    """Type and message in one line of printable characters; it stands in tables and terminals."""
    message = "".join(character if character.isprintable() else " " for character in str(error))
    return f"{type(error).__name__}: {' '.join(message.split())[:_DESCRIBED_CHARACTERS]}"
