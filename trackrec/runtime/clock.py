"""The one place that asks for the date; durations are measured where they arise."""

from __future__ import annotations

from datetime import UTC, datetime


def utc_now() -> datetime:
    """Now, UTC and aware: PySpark reads a naive datetime in the machine's own time zone."""
    return datetime.now(UTC)
