"""Keeps an engine fed across batches, and finds the requests that make it fail."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from trackrec.engines.faults import fault_of, is_out_of_memory, release_frames, require_alive
from trackrec.engines.interface import Engine, Finished, Request

T = TypeVar("T")

# Requests more in flight for each that finishes, from one on, after some failed. Of 2,000 rows, 64 in flight, 1.52
# requests a row are asked where one in five fails and 1.31 where one in fifty does, canaries too; with .5 1.81, 1.54.
_GROWTH = 0.25


def pump(
    batches: Iterator[T], engine: Engine, to_requests: Callable[[T], Iterable[Request]], high_water: int
) -> Iterator[Finished]:
    """Exactly one Finished for every request of ``batches``, in the order in which they finish.

    Batches are pulled while fewer than ``high_water`` requests are unfinished, so a batch's stragglers run together
    with the next batch (one call per batch was 4.7 times slower). When a step raises, what was in flight runs again in
    a smaller window, until the requests that raise stand alone: each is a permanent fault, or a transient one where
    memory ran out. Before one is blamed a canary, a prompt that no row decides, shows that the engine outlived it;
    where it fails too the engine is broken, and the request's own error is raised. Until what failed has been asked
    again nothing more is pulled.
    """
    yield from _Pump(engine, _requests(batches, to_requests), high_water).run()


def _requests(batches: Iterator[T], to_requests: Callable[[T], Iterable[Request]]) -> Iterator[Request]:
    for batch in batches:
        yield from to_requests(batch)


class _Window:
    """How many requests may be in flight: ``high_water`` until some fail, then one, and more with each success."""

    def __init__(self, high_water: int) -> None:
        self._size = float(high_water)
        self._high_water = self._limit = float(high_water)

    def is_open(self, unfinished: int) -> bool:
        """Whether one more may be submitted to an engine with ``unfinished`` in flight."""
        return unfinished == 0 or unfinished + 1 <= self._size

    def grow(self) -> None:
        """A request finished."""
        self._size = min(self._limit, self._size + _GROWTH)

    def shrink(self, in_flight: int, *, out_of_memory: bool) -> None:
        """``in_flight`` requests failed together: one of them, or their number where memory ran out."""
        if out_of_memory:
            self._limit = max(1.0, in_flight // 2)
            self._size = self._limit
        else:
            self._size = 1.0

    def widen(self) -> None:
        """A request failed alone: it, and not how many there were, is why its neighbours had failed."""
        self._limit = self._high_water


class _Pump:
    """The state of one ``pump``."""

    def __init__(self, engine: Engine, requests: Iterator[Request], high_water: int) -> None:
        self._engine = engine
        self._requests = requests
        self._window = _Window(high_water)
        self._running: dict[str, Request] = {}
        self._suspects: deque[Request] = deque()  # were in flight when a step raised, or could not be submitted
        self._draining = False  # a request could not be submitted: nothing more is until it stands alone

    def run(self) -> Iterator[Finished]:
        """See ``pump``."""
        while True:
            yield from self._fill()
            if not self._running:
                return
            yield from self._step()

    def _fill(self) -> Iterator[Finished]:
        """Submit while the window is open. A request that the engine does not take waits until it stands alone."""
        self._draining = self._draining and bool(self._running)
        while not self._draining and self._window.is_open(self._engine.unfinished):
            request = self._suspects.popleft() if self._suspects else next(self._requests, None)
            if request is None:
                return
            if request.key in self._running:
                raise ValueError(f"request {request.key} is in flight already")
            try:
                self._engine.submit(request)
            except Exception as error:
                release_frames(error)  # the others run on meanwhile
                if self._running:
                    self._suspects.appendleft(request)
                    self._draining = True
                    return
                yield self._blamed(request, error)
            else:
                self._running[request.key] = request

    def _step(self) -> Iterator[Finished]:
        try:
            finished = self._engine.step()
        except Exception as error:
            release_frames(error)
            yield from self._failed(error)
            return
        for outcome in finished:
            del self._running[outcome.key]
            self._window.grow()
            yield outcome

    def _failed(self, error: Exception) -> Iterator[Finished]:
        """One request that failed alone is blamed; several become suspects, and the engine is emptied."""
        in_flight = list(self._running.values())
        self._running.clear()
        if len(in_flight) == 1:
            yield self._blamed(in_flight[0], error)
            return
        self._suspects.extendleft(reversed(in_flight))
        self._window.shrink(len(in_flight), out_of_memory=is_out_of_memory(error))
        try:
            self._engine.abort()
        except Exception:
            raise error from None

    def _blamed(self, request: Request, error: Exception) -> Finished:
        require_alive(self._engine, error)
        self._window.widen()
        return fault_of(request, error)
