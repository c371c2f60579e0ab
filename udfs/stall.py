"""A worker in which no request finishes ends itself: Spark then loses it, as it would lose one that the system ends."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from trackrec.engines.interface import Engine, Finished, Request
from trackrec.runtime.progress_channel import ProgressSender

_CHECKS = 20  # of the clock within the time limit


@contextmanager
def guarded(engine: Engine, seconds: float | None, progress: ProgressSender) -> Iterator[Engine]:
    """``engine`` under a StallGuard while the block runs; as it is where there is no time limit."""
    if seconds is None:
        yield engine
        return
    guard = StallGuard(engine, seconds, progress)
    try:
        yield guard
    finally:
        guard.close()


class StallGuard:
    """An engine that may spend ``seconds`` in its steps without finishing a request; see Engine.

    A step that never returns cannot be stopped from inside, so the whole process ends, with a word to the driver.
    The time between two steps, in which Spark brings rows and takes texts, does not count.
    """

    def __init__(self, engine: Engine, seconds: float, progress: ProgressSender) -> None:
        self.name = engine.name
        self._engine = engine
        self._seconds = seconds
        self._progress = progress
        self._spent = 0.0  # in whole steps since a request finished
        self._entered: float | None = None  # when the step began that runs now
        self._closed = threading.Event()
        threading.Thread(target=self._watch, daemon=True).start()

    @property
    def unfinished(self) -> int:
        """Requests submitted and not yet returned by ``step``."""
        return self._engine.unfinished

    def submit(self, request: Request) -> None:
        """Queue one request."""
        self._engine.submit(request)

    def step(self) -> list[Finished]:
        """Advance all requests in flight; the time without any that finishes adds up."""
        self._entered = time.monotonic()
        try:
            finished = self._engine.step()
        finally:
            spent = time.monotonic() - self._entered
            self._entered = None
        self._spent = 0.0 if finished else self._spent + spent
        return finished

    def abort(self) -> None:
        """Drop everything in flight."""
        self._engine.abort()
        self._spent = 0.0

    def close(self) -> None:
        """Stop the clock; the engine itself goes on."""
        self._closed.set()

    def _watch(self) -> None:
        while not self._closed.wait(self._seconds / _CHECKS):
            entered = self._entered
            if self._spent + (time.monotonic() - entered if entered is not None else 0.0) > self._seconds:
                self._progress.stalled()
                os._exit(1)
