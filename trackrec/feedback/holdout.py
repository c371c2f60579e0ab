"""What is held out: the last part of the alignment window, which teaches nobody and chooses rounds and settings."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from trackrec.runtime.errors import BadInputError

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


def holdout_start_of(times: Sequence[datetime], share: float) -> datetime:
    """``holdout_start`` in Python, of the alignment window's event times in any order."""
    ordered = sorted(times)
    start = ordered[math.ceil((1 - share) * len(ordered)) - 1] if ordered else None
    if start is None or start <= ordered[0]:
        raise _too_few_events()
    return start


def holdout_start(samples: DataFrame, share: float) -> datetime:
    """The instant (UTC) from which on the alignment window's events are held out: its last ``share`` by event_time.

    Raises BadInputError where the window has no event, or too few distinct times to be cut.
    """
    from pyspark.sql import functions as F

    events = samples.where("window = 'alignment'")
    row = events.select(F.percentile_approx("event_time", 1 - share, 1_000_000), F.min("event_time")).first()
    start, first = row if row else (None, None)
    if start is None or start <= first:
        raise _too_few_events()
    return _utc(start)


def alignment_end(samples: DataFrame) -> datetime | None:
    """The first event_time (UTC) of a later window: what became known from then on is no event of the hold-out.

    That is CTR train where it has events: the later two of a log's own split may have any times. None where there is no
    later window, and every event of the hold-out counts.
    """
    from pyspark.sql import functions as F

    of_train = F.min(F.when(F.col("window") == "ctr_train", F.col("event_time")))
    row = samples.where("window != 'alignment'").agg(F.coalesce(of_train, F.min("event_time"))).first()
    return None if row is None or row[0] is None else _utc(row[0])


def _utc(time: datetime) -> datetime:
    return time.astimezone(UTC)  # PySpark hands out naive datetimes in local time


def _too_few_events() -> BadInputError:
    return BadInputError(
        "table samples: the alignment window has too few events to hold any out.",
        "Give windows.fractions or windows.boundaries with a larger first window, or more events.",
    )
