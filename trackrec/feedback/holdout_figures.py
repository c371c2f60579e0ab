"""V's answers on the hold-out as tables of figures: every variant and floor, and the last G's RecCoTs against each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from trackrec.feedback.metrics import CONSTANT, difference, floor_probabilities, quality
from trackrec.runtime.events import FigureTable

EVENT = ("user_id", "item_id", "event_time")

Event = tuple[Any, ...]  # values of EVENT
Scores = dict[str, dict[Event, float]]  # variant → event → P(Yes)


def event_of(row: Mapping[str, Any]) -> Event:
    """Which event a row is about."""
    return tuple(row[name] for name in EVENT)


def holdout_tables(rows: Sequence[Mapping[str, Any]], scores: Scores, last: str) -> dict[str, FigureTable]:
    """Tables validator (variant or floor → ``metrics.quality``) and differences (→ ``metrics.difference`` of ``last``).

    ``rows``: the hold-out's events as ``metrics.floor_probabilities`` takes them, and ``EVENT``. A variant is of the
    events that V could read there, a difference of those it could read in both. What is always the same is compared
    with nothing: UAUC against it is UAUC - .5.
    """
    label = {event_of(row): row["label"] for row in rows}
    floors = {name: dict(zip(label, p, strict=True)) for name, p in floor_probabilities(rows).items()}
    by_variant = floors | dict(sorted(scores.items()))

    def columns(*names: str) -> tuple[list[int], list[str], list[list[float]]]:
        """label, user and P(Yes) of each of the variants, of the events that all of them have."""
        events = sorted(set.intersection(*(set(by_variant[name]) for name in names)))
        p = [[by_variant[name][event] for event in events] for name in names]
        return [label[event] for event in events], [event[0] for event in events], p

    qualities, against = {}, {}
    for name in by_variant:
        y, user, (p,) = columns(name)
        qualities[name] = quality(y, p, user)
        if name not in (last, CONSTANT):
            y, user, (own, other) = columns(last, name)
            against[name] = difference(y, user, own, other)
    return {"validator": qualities, "differences": against}
