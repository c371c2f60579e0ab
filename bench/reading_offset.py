"""Where V starts with a fixed offset, what it must beat, and what a reader that counts makes of the RecCoTs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace

from bench.reading_figures import CONSTANT, OFFSET, OWN, SHUFFLED, USER_SHARE
from bench.reading_rows import Row, named_in, others_reccots
from trackrec.feedback.offset import Offset, fit_offset
from trackrec.feedback.reader import fit_reader


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


def reading_offset(rows: Sequence[Row], offset: Offset) -> Offset:
    """``offset`` with the weights of a reader that counts, fitted on these training rows."""
    return fit_reader([asdict(row) for row in rows], offset)


def counted(rows: Sequence[Row], reader: Offset) -> dict[str, list[float]]:
    """Log-odds of each row by ``reader``, shown the row's own RecCoT and another user's."""
    start = offsets_of(rows, replace(reader, liked=0.0, avoided=0.0))
    own = [(row.named_liked, row.named_avoided) for row in rows]
    named = {OWN: own, SHUFFLED: named_in(rows, others_reccots(rows))}
    return {
        name: [begun + reader.evidence(*counts) for begun, counts in zip(start, by_row, strict=True)]
        for name, by_row in named.items()
    }
