"""One run of a job: who runs, with which settings, and what its stages came to."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from trackrec.runtime.clock import utc_now
from trackrec.runtime.events import Listener, Stage, Started, Stopped

if TYPE_CHECKING:
    from trackrec.runtime.settings import Settings

_WRITTEN = ("rows", "texts", "faults")  # counts that a stage raises when it has committed what they count


@dataclass(kw_only=True)
class Run:
    """Who runs, and with which settings; ``counts`` is filled as stages end and goes into the ledger."""

    name: str
    settings: Settings
    run_id: str
    counts: dict[str, float] = field(default_factory=dict)
    listeners: tuple[Listener, ...] = ()

    @contextmanager
    def stage(self, name: str) -> Iterator[Stage]:
        """Run a block as a stage; when it ends well its outcome is emitted, and added to ``counts``.

        Of one that ends by an error only what it had written stays in ``counts``: rows, texts and faults, where there
        are any. Counts under ``<name>_<count>``, its seconds under ``<name>_seconds``, figures under their own names:
        of two stages with one figure the later's stays.
        """
        stage = Stage(name, self.listeners)
        stage.emit(Started(name))
        try:
            yield stage
        except BaseException:
            self.counts.update({f"{name}_{word}": stage.counts[word] for word in _WRITTEN if stage.counts.get(word)})
            stage.emit(Stopped(name))
            raise
        outcome = stage.outcome
        self.counts.update({f"{name}_{word}": count for word, count in outcome.counts.items()})
        self.counts[f"{name}_seconds"] = outcome.seconds
        self.counts.update(outcome.figures)
        stage.emit(outcome)

    def with_settings(self, settings: Settings) -> Run:
        """The same run, its counts included, under other settings."""
        return replace(self, settings=settings)

    def stamp(self) -> dict[str, Any]:
        """run_id and created_time, the columns that say who wrote a row and when."""
        return {"run_id": self.run_id, "created_time": utc_now()}
