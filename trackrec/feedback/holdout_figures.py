"""V's answers on the hold-out as tables of figures: every variant and floor, and the last G's RecCoTs against each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from trackrec.feedback.metrics import CONSTANT, difference, floor_probabilities, quality
from trackrec.runtime.events import FigureTable

EVENT = ("user_id", "item_id", "event_time")

Event = tuple[Any, ...]  # values of EVENT
Scores = dict[str, dict[Event, float]]  # variant → event → P(Yes)
Support = Mapping[str, Mapping[Event, float]]  # variant → event → how far what V is shown speaks for the item


def event_of(row: Mapping[str, Any]) -> Event:
    """Which event a row is about."""
    return tuple(row[name] for name in EVENT)


def holdout_tables(
    rows: Sequence[Mapping[str, Any]], scores: Scores, last: str, support: Support
) -> dict[str, FigureTable]:
    """Tables validator (variant or floor → ``metrics.quality``) and differences (→ ``metrics.difference`` of ``last``).

    ``rows``: the hold-out's events as ``metrics.floor_probabilities`` takes them, and ``EVENT``. A variant is of the
    events that V could read there, a difference of those it could read in both. What is always the same is compared
    with nothing: UAUC against it is UAUC - .5. ``support``: of ``last`` and of other variants, whose difference then
    tells whether V reads (``metrics.reading``).
    """
    label = {event_of(row): row["label"] for row in rows}
    floors = {name: dict(zip(label, p, strict=True)) for name, p in floor_probabilities(rows).items()}
    by_variant = floors | dict(sorted(scores.items()))

    def quality_of(name: str) -> dict[str, float]:
        scored = by_variant[name]
        events = sorted(scored)
        return quality([label[e] for e in events], [scored[e] for e in events], [e[0] for e in events])

    def difference_from(name: str) -> dict[str, float]:
        """Of the events that both have."""
        one, other = by_variant[last], by_variant[name]
        events = sorted(set(one) & set(other))
        more = [support[last][e] - support[name][e] for e in events] if name in support else None
        y, users = [label[e] for e in events], [e[0] for e in events]
        return difference(y, users, [one[e] for e in events], [other[e] for e in events], more)

    against = {name: difference_from(name) for name in by_variant if name not in (last, CONSTANT)}
    return {"validator": {name: quality_of(name) for name in by_variant}, "differences": against}
