"""One run of a job, from its flags to its exit code and its row of ``runs``.

with recorded_run("nightly", __doc__, argv) as job:
    run, tables = open_warehouse(job)  # trackrec.stages.opening
    ...
return job.exit_code

Imports the standard library alone until the flags are parsed, so that a missing package ends a job with one line too.
"""

from __future__ import annotations

import argparse
import sys
import uuid
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from trackrec.runtime.clock import utc_now
from trackrec.runtime.command_line import job_flags
from trackrec.runtime.errors import (
    EXIT_BAD_INPUT,
    EXIT_DONE,
    EXIT_FAILED,
    EXIT_HELD,
    EXIT_INTERRUPTED,
    EXIT_QUALITY_GATE,
)
from trackrec.runtime.failure import keep_traceback, log_file, print_error
from trackrec.runtime.run import Run

if TYPE_CHECKING:
    pass

STATUS = {
    EXIT_DONE: "done",
    EXIT_QUALITY_GATE: "quality_gate",
    EXIT_BAD_INPUT: "bad_input",
    EXIT_FAILED: "failed",
}


class Tables(Protocol):
    """What the ledger is written through: ``tables.warehouse.Warehouse`` or ``tables.lake.Lake``."""

    def insert_rows(self, name: str, rows: Sequence[Mapping[str, Any]], replacing: str | None = None) -> int:
        """Insert the rows whose key is not in table ``name`` yet, and replace stored ones (``old``) where SQL
        ``replacing`` holds; returns rows written."""


AnyTables = TypeVar("AnyTables", bound=Tables)


def recorded_run(name: str, description: str | None, argv: Sequence[str] | None) -> RecordedRun:
    """Parse the flags of ``jobs/<name>.py`` (argparse ends the process where they are wrong)."""
    parser = job_flags(name, description)
    arguments = parser.parse_args(argv)
    if getattr(arguments, "probe", None) is not None and not arguments.dry_run:
        parser.error("argument --probe: it measures for --dry-run, give both")
    return RecordedRun(name, arguments)


class RecordedRun:
    """A ``with`` block in which a job works; whatever it raises becomes one line on stderr and an ``exit_code``.

    The row of ``runs`` is written when the block ends, through the tables given to ``record_in``; not after Ctrl-C,
    whose code is 130. What is no error (SystemExit) passes through.
    """

    def __init__(self, name: str, arguments: argparse.Namespace) -> None:
        self.exit_code = EXIT_DONE
        self._name, self._arguments = name, arguments
        self._started = utc_now()
        self._log = log_file()
        self._tables: Tables | None = None
        self._at_end: list[Callable[[], None]] = []

    @cached_property
    def run(self) -> Run:
        """The run, its settings read at the first use; raises BadInputError where they cannot be."""
        from trackrec.runtime.console import Console
        from trackrec.runtime.settings_files import load_settings

        settings = load_settings(self._arguments.conf, self._arguments.set)
        self._log = log_file(settings.log)
        run_id = self._arguments.run_id or uuid.uuid4().hex
        return Run(name=self._name, settings=settings, run_id=run_id, listeners=(Console().show,))

    @property
    def dry(self) -> bool:
        """Whether only what the run would do is asked for."""
        return bool(self._arguments.dry_run)

    @property
    def probe(self) -> int | None:
        """On how many prompts a dry run measures G; None: on none."""
        probe: int | None = self._arguments.probe
        return probe

    def record_in(self, tables: AnyTables) -> AnyTables:
        """Write the row of ``runs`` through ``tables``; returns them."""
        self._tables = tables
        return tables

    def at_end(self, action: Callable[[], None]) -> None:
        """Call ``action`` when the block ends, after the row of ``runs`` is written."""
        self._at_end.append(action)

    def __enter__(self) -> RecordedRun:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        try:
            return self._ended(error)
        finally:  # also after Ctrl-C in a notebook, whose process lives on
            for action in self._at_end:
                self._end_with(action)

    def _ended(self, error: BaseException | None) -> bool:
        """Say and record how the block ended; whether its error goes no further."""
        if isinstance(error, KeyboardInterrupt):
            self.exit_code = EXIT_INTERRUPTED  # the JVM has got the signal too, so nothing can be recorded
            print("error: interrupted. What was committed stays; run it again, and it goes on.", file=sys.stderr)
            return True
        if error is not None and not isinstance(error, Exception):
            return False
        if error is not None:
            self.exit_code = print_error(error, self._log)
        if self._tables is not None and self._leaves_a_row():
            self._record(self._tables)
        return True

    def _leaves_a_row(self) -> bool:
        """Bad input that was found before anything was written leaves nothing behind, and who may not write neither."""
        if self.exit_code == EXIT_BAD_INPUT:
            return bool(self.run.counts)
        return self.exit_code != EXIT_HELD

    def _end_with(self, action: Callable[[], None]) -> None:
        try:
            action()
        except Exception as error:
            keep_traceback(error, self._log)

    def _record(self, tables: Tables) -> None:
        row = {
            "run_id": self.run.run_id,
            "job": self._name,
            "status": STATUS[self.exit_code],
            "counts": {word: float(count) for word, count in self.run.counts.items()},
            "config_hash": self.run.settings.digest(),
            "started_time": self._started,
            "created_time": utc_now(),
        }
        try:
            # Tried again under the same id, a run that failed may be done; what is done stays as it was recorded first.
            tables.insert_rows("runs", [row], replacing="old.status <> 'done'")
        except Exception as error:
            if self.exit_code == EXIT_DONE:
                self.exit_code = print_error(error, self._log)
            else:  # the run's own error was printed already, and its code stands
                keep_traceback(error, self._log)
