"""What a person sees in the terminal: one line a stage, progress while it runs, chatter elsewhere."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_SILENT_SECONDS = 5  # a step that is still running after this shows progress
_LINE_SECONDS = 10  # between two progress lines where the output is no terminal


class Stage:
    """One stage of a job: progress while it runs, then one line with its counts.

    ``counts`` holds whole numbers under the words that are printed, in order, e.g. ``{"rows": 800, "unchanged": 0}``;
    ``notes`` are printed as they are.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.counts: dict[str, int] = {}
        self.notes: list[str] = []
        self.started = time.monotonic()
        self._progress = ""
        self._ended = threading.Event()
        self._ticker = threading.Thread(target=self._tick, daemon=True)
        self._ticker.start()

    @property
    def seconds(self) -> float:
        """Seconds since the stage began."""
        return time.monotonic() - self.started

    def progress(self, done: int, total: int, unit: str) -> None:
        """Say how far the stage is; shown from five seconds on, with an estimate of the time left."""
        left = f", about {self.seconds / done * (total - done):.0f} s left" if 0 < done < total else ""
        self._progress = f"{done:,} of {total:,} {unit}{left}"

    def rate(self, unit: str) -> float:
        """``counts[unit]`` a second."""
        return self.counts.get(unit, 0) / max(self.seconds, 1e-9)

    def end(self) -> None:
        """Stop the progress line and print the summary line."""
        self._stop()
        parts = [f"{value:,} {word}" for word, value in self.counts.items()]
        if self.counts.get("rows"):
            parts.append(f"{self.rate('rows'):.1f} rows/s")
        if self.counts.get("tokens"):
            parts.append(f"{self.rate('tokens'):,.0f} tokens/s")
        print(f"{self.name:<10} {' · '.join([*parts, *self.notes, f'{self.seconds:.1f} s'])}", flush=True)

    def _stop(self) -> None:
        self._ended.set()
        self._ticker.join()

    def _tick(self) -> None:
        terminal = sys.stdout.isatty()
        wait: float = _SILENT_SECONDS
        while not self._ended.wait(wait):
            line = f"{self.name:<10} … {self._progress + ', ' if self._progress else ''}{self.seconds:.0f} s so far"
            print(f"\r\x1b[2K{line}" if terminal else line, end="" if terminal else "\n", flush=True)
            wait = 1 if terminal else _LINE_SECONDS
        if terminal:
            print("\r\x1b[2K", end="", flush=True)


@contextmanager
def stage(name: str) -> Iterator[Stage]:
    """Run a block as a stage; an error stops the progress line and prints no summary."""
    running = Stage(name)
    try:
        yield running
    except BaseException:
        running._stop()
        raise
    running.end()


@contextmanager
def stderr_to(log: Path) -> Iterator[None]:
    """Let processes started in this block inherit ``log`` as their stderr (file descriptor 2)."""
    sys.stderr.flush()
    saved = os.dup(2)
    with log.open("ab") as file:
        os.dup2(file.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(saved, 2)
            os.close(saved)
