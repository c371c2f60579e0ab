"""The flags that every job has, and how an error is told: one line on stderr, and its exit code."""

from __future__ import annotations

import argparse
import sys
from datetime import UTC, datetime

from trackrec.errors import TrackrecError


def flags(prog: str, description: str | None) -> argparse.ArgumentParser:
    """--conf, --set and --run-id. The description's lines (launch commands) are kept as they are."""
    parser = argparse.ArgumentParser(
        prog=f"python -m {prog}", description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--conf", required=True, help="settings, e.g. conf/local.yaml, above the base.yaml beside it")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="one setting; repeatable")
    parser.add_argument("--run-id", default=None, help="id that the rows of this run carry (default: a new one)")
    return parser


def report(error: TrackrecError) -> int:
    """Print the error as one line on stderr and return its exit code."""
    print(f"error: {error}", file=sys.stderr, flush=True)
    return error.exit_code


def utc_now() -> datetime:
    """The clock, UTC and aware: PySpark reads a naive datetime in the machine's own time zone."""
    return datetime.now(UTC)
