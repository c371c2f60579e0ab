"""The flags that every job has, and how an error is told: one line on stderr, and its exit code."""

from __future__ import annotations

import argparse
import sys
import traceback
from datetime import UTC, datetime
from pathlib import Path

from trackrec.runtime.errors import EXIT_FAILED, TrackrecError
from trackrec.runtime.settings import Settings

DEFAULT_LOG: str = Settings.model_fields["log"].default
_LINE_CHARS = 400  # Spark's messages run over pages


def flags(prog: str, description: str | None) -> argparse.ArgumentParser:
    """--conf, --set and --run-id. The description's lines (launch commands) are kept as they are."""
    parser = argparse.ArgumentParser(
        prog=f"python -m {prog}", description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--conf", required=True, help="settings, e.g. conf/local.yaml, above the base.yaml beside it")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="one setting; repeatable")
    parser.add_argument("--run-id", default=None, help="id that the rows of this run carry (default: a new one)")
    return parser


def report(error: Exception, log: str = DEFAULT_LOG) -> int:
    """Print the error as one line on stderr and return its exit code.

    An error that is no TrackrecError was not foreseen: its traceback goes to the file ``log``, the code is 70.
    """
    if isinstance(error, TrackrecError):
        line, code = str(error), error.exit_code
    else:
        said = " ".join(f"{type(error).__name__}: {error}".split())
        said = said if len(said) <= _LINE_CHARS else said[:_LINE_CHARS] + " …"
        line = f"{said} - this is a bug in trackrec or its environment; {keep_traceback(error, log)}."
        code = EXIT_FAILED
    print(f"error: {line}", file=sys.stderr, flush=True)
    return code


def keep_traceback(error: Exception, log: str) -> str:
    """Append the traceback to ``log``, or print it where that cannot be written; returns where it is, in words."""
    text = "".join(traceback.format_exception(error))
    try:
        Path(log).parent.mkdir(parents=True, exist_ok=True)
        with Path(log).open("a", encoding="utf-8", errors="backslashreplace") as file:
            file.write(f"{utc_now():%Y-%m-%d %H:%M:%S} UTC {sys.argv[0]} failed\n{text}")
    except OSError as fault:
        print(text, file=sys.stderr, flush=True)
        return f"the traceback is above, for {log} cannot be written ({fault.strerror})"
    return f"the traceback is in {log}"


def utc_now() -> datetime:
    """The clock, UTC and aware: PySpark reads a naive datetime in the machine's own time zone."""
    return datetime.now(UTC)
