"""What a person sees of a run in the terminal: a bar or a line while a stage works, one line when it has ended."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from trackrec.runtime.events import Event, Notice, Outcome, Progress, Started, Step
from trackrec.runtime.terminal import printable_line

if TYPE_CHECKING:
    from rich.progress import TaskID

_SILENT_SECONDS = 5  # a stage that is still at work after this says so
_LINE_SECONDS = 10  # between two such lines where the output is no terminal
_NAME_CHARS = 10


class Display(Protocol):
    """How stages at work are shown, the innermost last."""

    def begin(self, stage: str) -> None:
        """A stage began."""

    def move(self, progress: Progress) -> None:
        """A stage came further."""

    def end(self, stage: str) -> None:
        """A stage ended, well or not."""


class Console:
    """A listener (see ``stage``) that prints: bars by rich in a terminal, plain lines in a pipe or a notebook."""

    def __init__(self) -> None:
        self._display: Display = _Bars() if sys.stdout.isatty() else _Lines()

    def show(self, event: Event) -> None:
        """Show one event."""
        if isinstance(event, Started):
            self._display.begin(event.stage)
        elif isinstance(event, Progress):
            self._display.move(event)
        elif isinstance(event, Step):
            self._display.move(Progress(event.stage, event.step, event.steps, "steps"))
            _print(event.stage, f"step {event.step} of {event.steps}: {_figures(event)}")
        elif isinstance(event, Notice):
            _print(event.stage, event.text)
        else:
            self._display.end(event.stage)
            if isinstance(event, Outcome):
                _print(event.stage, summary(event))


def summary(outcome: Outcome) -> str:
    """The outcome in one line: counts, rates of rows and tokens, figures, labels, seconds."""
    parts = [f"{count:,} {word}" for word, count in outcome.counts.items()]
    if outcome.counts.get("rows"):
        parts.append(f"{outcome.rate('rows'):.1f} rows/s")
    if outcome.counts.get("tokens"):
        parts.append(f"{outcome.rate('tokens'):,.0f} tokens/s")
    parts += [f"{name} {_figure(value)}" for name, value in outcome.figures.items()]
    parts += [f"{name} {text}" for name, text in outcome.labels.items()]
    return " · ".join([*parts, f"{outcome.seconds:.1f} s"])


def _figure(value: float) -> str:
    """A number of groups or users without decimals; shares, 0 and 1 among them, with three."""
    return f"{value:,.0f}" if value >= 2 and float(value).is_integer() else f"{value:.3f}"


def _figures(step: Step) -> str:
    labels = [f"{name} {text}" for name, text in step.labels.items()]
    return ", ".join([*labels, *(f"{name} {value:.4g}" for name, value in step.figures.items())])


def _print(stage: str, text: str) -> None:
    print(printable_line(f"{stage:<{_NAME_CHARS}} {text}"), flush=True)


class _Lines:
    """A line every ten seconds about the innermost stage, from five seconds on."""

    def __init__(self) -> None:
        self._stages: list[tuple[str, float]] = []  # name, start
        self._progress: dict[str, Progress] = {}
        self._ended = threading.Event()
        self._ticker: threading.Thread | None = None

    def begin(self, stage: str) -> None:
        self._stages.append((stage, time.monotonic()))
        if self._ticker is None:
            self._ended.clear()
            self._ticker = threading.Thread(target=self._tick, daemon=True)
            self._ticker.start()

    def move(self, progress: Progress) -> None:
        self._progress[progress.stage] = progress

    def end(self, stage: str) -> None:
        self._stages = [(name, start) for name, start in self._stages if name != stage]
        self._progress.pop(stage, None)
        if not self._stages and self._ticker is not None:
            self._ended.set()
            self._ticker.join()
            self._ticker = None

    def _tick(self) -> None:
        wait: float = _SILENT_SECONDS
        while not self._ended.wait(wait):
            wait = _LINE_SECONDS
            stages = self._stages
            if not stages:
                continue
            stage, start = stages[-1]
            seconds = time.monotonic() - start
            if seconds >= _SILENT_SECONDS:
                _print(stage, f"… {_position(self._progress.get(stage), seconds)}{seconds:.0f} s so far")


def _position(progress: Progress | None, seconds: float) -> str:
    if progress is None:
        return ""
    done, total = progress.done, progress.total
    left = f", about {seconds / done * (total - done):.0f} s left" if 0 < done < total else ""
    return f"{done:,} of {total:,} {progress.unit}{left}, "


class _Bars:
    """Bars of rich, gone when their stage has ended; what is printed meanwhile stands above them."""

    def __init__(self) -> None:
        from rich.console import Console as RichConsole
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
        from rich.progress import Progress as RichProgress

        columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn())
        units = TextColumn("{task.fields[unit]}", markup=False)
        times = (TimeElapsedColumn(), TimeRemainingColumn())
        # Whatever is printed meanwhile goes through this console: soft_wrap leaves a long line, which may be a setting
        # to copy or a table's row, in one piece.
        console = RichConsole(soft_wrap=True)
        self._bars = RichProgress(*columns, units, *times, console=console, transient=True)
        self._tasks: dict[str, TaskID] = {}

    def begin(self, stage: str) -> None:
        if not self._tasks:
            self._bars.start()
        self._tasks[stage] = self._bars.add_task(printable_line(stage), total=None, unit="")

    def move(self, progress: Progress) -> None:
        if progress.stage in self._tasks:
            task = self._tasks[progress.stage]
            self._bars.update(task, completed=progress.done, total=progress.total, unit=printable_line(progress.unit))

    def end(self, stage: str) -> None:
        task = self._tasks.pop(stage, None)
        if task is not None:
            self._bars.remove_task(task)
        if not self._tasks:
            self._bars.stop()


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
