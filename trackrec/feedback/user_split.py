"""Who and what may teach whom inside the alignment window: V never judges what it was tuned on.

Users are split by hash: V is tuned on one part, G's candidates are judged for the other. The last part of the window by
time, the hold-out, teaches nobody: it chooses rounds and settings (DESIGN: truth in time).
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from datetime import UTC, datetime

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from trackrec.runtime.errors import BadInputError

_SALT = "trackrec alignment split"  # unlike histories.max_users, which takes the smallest hashes of the bare user_id


def of_validator(user: Column, share: float) -> Column:
    """Whether V is tuned on this user (else G's candidates are judged for them); ``share`` of all users are V's."""
    digits = F.substring(F.sha2(F.concat(F.lit(_SALT), user), 256), 1, 8)
    return F.conv(digits, 16, 10).cast("bigint") < int(share * 2**32)


def in_share(user_id: str, share: float, salt: str = _SALT) -> bool:
    """``of_validator`` in Python; with another ``salt`` a part of the users that has nothing to do with that one."""
    digits = hashlib.sha256(f"{salt}{user_id}".encode()).hexdigest()[:8]
    return int(digits, 16) < int(share * 2**32)


def holdout_start_of(times: Sequence[datetime], share: float) -> datetime:
    """``holdout_start`` in Python, of the alignment window's event times in any order."""
    ordered = sorted(times)
    start = ordered[math.ceil((1 - share) * len(ordered)) - 1] if ordered else None
    if start is None or start <= ordered[0]:
        raise _uncut()
    return start


def holdout_start(samples: DataFrame, share: float) -> datetime:
    """The instant (UTC) from which on the alignment window's events are held out: its last ``share`` by time.

    Raises BadInputError where the window has no event, or too few distinct times to be cut.
    """
    events = samples.where("window = 'alignment'")
    row = events.select(F.percentile_approx("event_time", 1 - share, 1_000_000), F.min("event_time")).first()
    start, first = row if row else (None, None)
    if start is None or start <= first:
        raise _uncut()
    found: datetime = start.astimezone(UTC)
    return found


def _uncut() -> BadInputError:
    return BadInputError(
        "table samples: the alignment window has too few events to hold any out.",
        "Give windows.fractions or windows.boundaries with a larger first window, or more events.",
    )
