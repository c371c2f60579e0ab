"""The one place that reads a clock; everything below the jobs gets its times handed in."""

from __future__ import annotations

from datetime import UTC, datetime


def utc_now() -> datetime:
    """Now, UTC and aware: PySpark reads a naive datetime in the machine's own time zone."""
    return datetime.now(UTC)
