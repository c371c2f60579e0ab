"""What a stage of a job is doing, and what it did: typed events, shown, logged or counted by whoever listens."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

FigureTable = Mapping[str, Mapping[str, float]]  # row → figure → value; NaN where a figure has none


@dataclass(frozen=True)
class Started:
    """A stage began."""

    stage: str


@dataclass(frozen=True)
class Progress:
    """``done`` of ``total`` units (``unit`` in the plural) are behind the stage."""

    stage: str
    done: int
    total: int
    unit: str


@dataclass(frozen=True)
class Step:
    """One step of a training: its figures, e.g. the loss in nats, and names, e.g. the arm; ``step`` counts from 1."""

    stage: str
    step: int
    steps: int
    figures: Mapping[str, float]
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Notice:
    """What a person should know and no figure says: a slower fallback, a wait, a step that was finished before."""

    stage: str
    text: str


@dataclass(frozen=True)
class Stopped:
    """A stage ended by an error, and has no outcome."""

    stage: str


@dataclass(frozen=True)
class Outcome:
    """What a stage did: whole numbers (rows, tokens, …), figures, names (versions, sources) and its seconds.

    ``tables`` are figures that have a row too: table → row → figure → value, e.g. of every arm of a comparison.
    """

    stage: str
    counts: Mapping[str, int] = field(default_factory=dict)
    figures: Mapping[str, float] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    tables: Mapping[str, FigureTable] = field(default_factory=dict)

    def rate(self, count: str) -> float:
        """``counts[count]`` a second."""
        return self.counts.get(count, 0) / max(self.seconds, 1e-9)


Event = Started | Progress | Step | Notice | Stopped | Outcome
Listener = Callable[[Event], None]


class Stage:
    """A stage at work: ``counts``, ``figures``, ``labels`` and ``tables`` are filled in; events go to every listener.

    ``Stage("align")`` without listeners is silent: for tests, benches and calls from other code.
    """

    def __init__(self, name: str, listeners: Sequence[Listener] = ()) -> None:
        self.name = name
        self.counts: dict[str, int] = {}
        self.figures: dict[str, float] = {}
        self.labels: dict[str, str] = {}
        self.tables: dict[str, FigureTable] = {}
        self._listeners = tuple(listeners)
        self._started = time.monotonic()

    def emit(self, event: Event) -> None:
        """Hand ``event`` to every listener."""
        for listener in self._listeners:
            listener(event)

    def progress(self, done: int, total: int, unit: str) -> None:
        """Say how far the stage is."""
        self.emit(Progress(self.name, done, total, unit))

    def step(
        self, step: int, steps: int, figures: Mapping[str, float], labels: Mapping[str, str] | None = None
    ) -> None:
        """Say what one step of a training came to."""
        self.emit(Step(self.name, step, steps, dict(figures), dict(labels or {})))

    def notice(self, text: str) -> None:
        """Say what no figure says."""
        self.emit(Notice(self.name, text))

    @property
    def outcome(self) -> Outcome:
        """What the stage did so far."""
        seconds = time.monotonic() - self._started
        return Outcome(self.name, dict(self.counts), dict(self.figures), dict(self.labels), seconds, dict(self.tables))
