"""One run of a job from its flags to its exit code: what it fails with is told, and ``runs`` gets its row."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from trackrec.runtime.command_line import DEFAULT_LOG, flags, keep_traceback, report, utc_now
from trackrec.runtime.errors import EXIT_BAD_INPUT, EXIT_DONE, EXIT_FAILED, EXIT_QUALITY_GATE
from trackrec.runtime.settings import Settings
from trackrec.runtime.settings_files import load_settings

STATUS = {
    EXIT_DONE: "done",
    EXIT_QUALITY_GATE: "quality_gate",
    EXIT_BAD_INPUT: "bad_input",
    EXIT_FAILED: "failed",
}


@dataclass(kw_only=True)
class Run:
    """Who runs, with which settings, since when; ``counts`` is filled while it works and goes into the ledger."""

    name: str
    settings: Settings
    run_id: str
    started: datetime
    counts: dict[str, float] = field(default_factory=dict)


class Tables(Protocol):
    """What the ledger is written through: ``tables.Warehouse`` or ``lake.Lake``."""

    def insert_rows(self, name: str, rows: Sequence[Mapping[str, Any]], replacing: str | None = None) -> int:
        """Insert the rows whose key is not in table ``name`` yet, and replace stored ones (``old``) where SQL
        ``replacing`` holds; returns rows written."""


Opened = tuple[Tables, Callable[[], None]]  # the tables, and the work to be done on them


def run_recorded(
    name: str, description: str | None, argv: Sequence[str] | None, opened: Callable[[Run], Opened]
) -> int:
    """Parse the flags, open the tables, work, write the row of ``runs``. Returns the exit code, as in errors.py.

    ``opened`` raises BadInputError where the tables cannot be opened; the ledger is not written then.
    """
    args = flags(f"jobs.{name}", description).parse_args(argv)
    started, log = utc_now(), DEFAULT_LOG
    try:
        settings = load_settings(args.conf, args.set)
        log = settings.log
        run = Run(name=name, settings=settings, run_id=args.run_id or uuid.uuid4().hex, started=started)
        tables, work = opened(run)
    except Exception as error:
        return report(error, log)
    code = EXIT_DONE
    try:
        work()
    except Exception as error:
        code = report(error, log)
    # Bad input that was found before anything was written leaves nothing behind, not even a ledger.
    return code if code == EXIT_BAD_INPUT and not run.counts else _recorded(run, code, tables)


def _recorded(run: Run, code: int, tables: Tables) -> int:
    row = {
        "run_id": run.run_id,
        "job": run.name,
        "status": STATUS[code],
        "counts": {word: float(count) for word, count in run.counts.items()},
        "config_hash": run.settings.digest(),
        "started_time": run.started,
        "created_time": utc_now(),
    }
    try:
        # Tried again under the same id, a run that failed may be done; what is done stays as it was told first.
        tables.insert_rows("runs", [row], replacing="old.status <> 'done'")
    except Exception as error:
        if code == EXIT_DONE:
            return report(error, run.settings.log)
        keep_traceback(error, run.settings.log)  # the run's own error was told already, and its code stands
    return code
