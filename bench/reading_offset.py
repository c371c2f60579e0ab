"""Where V starts with a fixed offset, and what it must beat."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace

from bench.reading_figures import CONSTANT, OFFSET, USER_SHARE
from bench.reading_rows import Row
from trackrec.feedback.offset import Offset, fit_offset


def fitted(rows: Sequence[Row]) -> Offset:
    """The offset fitted on these training rows."""
    return fit_offset(asdict(row) for row in rows)


def offsets_of(rows: Sequence[Row], offset: Offset) -> list[float]:
    """Log-odds (nats) of each row by the offset alone."""
    return [offset.log_odds(asdict(row)) for row in rows]


def floors(held: Sequence[Row], offset: Offset) -> dict[str, Sequence[float]]:
    """Log-odds of each held row by what V must beat: the overall share, the user's own, and both shares weighed."""
    user_alone = replace(offset, user=1.0, item=0.0, constant=0.0)
    nobody = {"user_liked": 0, "user_events": 0, "item_liked": 0, "item_events": 0}
    return {
        CONSTANT: [user_alone.log_odds(nobody)] * len(held),
        USER_SHARE: offsets_of(held, user_alone),
        OFFSET: offsets_of(held, offset),
    }
