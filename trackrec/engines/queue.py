"""Requests on their way into an engine: tokenised, refused where the context is too short, taken in batches."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import islice

from trackrec.engines.chat import Chat
from trackrec.engines.interface import Finished, Request


@dataclass(frozen=True)
class QueuedRequest:
    """A request with its prompt in tokens, and when it was submitted (``time.perf_counter``)."""

    request: Request
    prompt_ids: list[int]
    submitted: float = field(default_factory=time.perf_counter)

    def latency_ms(self) -> float:
        """Milliseconds since submit."""
        return 1000 * (time.perf_counter() - self.submitted)


class Intake:
    """Tokenises requests; those too long for the context are kept as permanent faults until ``take_refused``."""

    def __init__(self, chat: Chat) -> None:
        self._chat = chat
        self._refused: list[Finished] = []

    def __len__(self) -> int:
        return len(self._refused)

    def admit(self, request: Request) -> QueuedRequest | None:
        """The request in tokens; None where its prompt is too long."""
        ids = self._chat.ids(request)
        fault = self._chat.fault(ids)
        if fault is None:
            return QueuedRequest(request, ids)
        self._refused.append(Finished.failed(request.key, fault, "permanent", len(ids)))
        return None

    def take_refused(self) -> list[Finished]:
        """The outcomes of the requests refused since the last call."""
        refused, self._refused = self._refused, []
        return refused


class BatchEngine(ABC):
    """The queue of an engine that runs one whole batch a step, of up to ``batch_size`` requests; see Engine."""

    def __init__(self, chat: Chat, batch_size: int) -> None:
        self._batch_size = batch_size
        self._intake = Intake(chat)
        self._queue: deque[QueuedRequest] = deque()

    @property
    def unfinished(self) -> int:
        """Requests submitted and not yet returned by ``step``."""
        return len(self._queue) + len(self._intake)

    def submit(self, request: Request) -> None:
        """Queue one request; one that is too long for the context comes back as a permanent fault."""
        queued = self._intake.admit(request)
        if queued is not None:
            self._queue.append(queued)

    def step(self) -> list[Finished]:
        """Run the next batch to its end. Where that raises, its requests are still unfinished."""
        batch = self._next_batch(self._queue)
        finished = self._run(batch) if batch else []
        for _ in batch:
            self._queue.popleft()
        return self._intake.take_refused() + finished

    def abort(self) -> None:
        """Drop everything in flight; the engine serves later requests."""
        self._queue.clear()
        self._intake.take_refused()

    def _next_batch(self, queue: Iterable[QueuedRequest]) -> list[QueuedRequest]:
        """The first requests of ``queue`` that are run together."""
        return list(islice(queue, self._batch_size))

    @abstractmethod
    def _run(self, batch: list[QueuedRequest]) -> list[Finished]:
        """The outcome of each request of a batch, in its order."""
