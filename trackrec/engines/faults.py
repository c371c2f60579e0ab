"""What kind of fault a request is that makes an engine fail, and whether the engine outlived it."""

from __future__ import annotations

import traceback
import uuid
from collections.abc import Iterator

from trackrec.engines.interface import Engine, Finished, Request

FAULT = "engine_fault"  # the code of a request that makes a step raise: permanent
OUT_OF_MEMORY = "out_of_memory"  # the code of one for which memory does not suffice, now and here: transient
_ALLOCATION_FAILED = ("out of memory", "allocate memory", "alloc_failed")  # of CUDA, the CPU's allocator, cuBLAS
_DESCRIBED_CHARACTERS = 300


def fault_of(request: Request, error: Exception) -> Finished:
    """The outcome of a request that failed alone: a permanent fault, or a transient one where memory ran out."""
    if is_out_of_memory(error):
        return Finished.failed(request.key, f"{OUT_OF_MEMORY}: {_described(error)}", "transient")
    return Finished.failed(request.key, f"{FAULT}: {_described(error)}", "permanent")


def require_alive(engine: Engine, error: Exception) -> None:
    """Raise ``error`` unless the engine, emptied, serves a canary: a short prompt that no row decides."""
    try:
        engine.abort()
        engine.submit(Request(f"canary {uuid.uuid4()}", "Say yes.", "", 0))
        while engine.unfinished:
            engine.step()
    except Exception:
        raise error from None


def release_frames(error: Exception) -> None:
    """Free what a failed step's local variables hold, on a GPU its tensors, while the error itself is kept."""
    for link in _chain(error):
        traceback.clear_frames(link.__traceback__)


def is_out_of_memory(error: Exception) -> bool:
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
