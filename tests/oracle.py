"""The histories and windows again, in a few lines of plain Python: what the Spark expressions are tested against."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import NamedTuple


class Event(NamedTuple):
    user_id: str
    item_id: str
    event_time: datetime
    known_time: datetime
    label: int


def snapshot_times(events: list[Event], every_n: int) -> dict[str, list[datetime]]:
    """After every n-th event of a user in the order they became known: its second + 1 s, each time once."""
    by_user = defaultdict(list)
    for event in sorted(events, key=lambda e: (e.known_time, e.event_time, e.item_id)):
        by_user[event.user_id].append(event.known_time.replace(microsecond=0) + timedelta(seconds=1))
    return {user: sorted(set(times[every_n - 1 :: every_n])) for user, times in by_user.items()}


def history(events: list[Event], user: str, as_of: datetime, last_n: int, listed: int, tallied: int, items: dict):
    """(n_events, n_liked, source_max_time, liked, disliked, tallies) of what was known strictly before as_of."""
    known = [e for e in events if e.user_id == user and e.known_time < as_of]
    newest = sorted(known, key=lambda e: (e.event_time, e.item_id))[-last_n:]
    liked = [items[e.item_id][0] for e in newest if e.label][-listed:]
    disliked = [items[e.item_id][0] for e in newest if not e.label][-listed:]
    tally = {label: Counter(a for e in newest if e.label == label for a in items[e.item_id][1]) for label in (0, 1)}
    names = sorted(tally[0] | tally[1], key=lambda a: (-tally[0][a] - tally[1][a], a))
    tallies = [(a, tally[1][a], tally[0][a]) for a in names[:tallied]]
    return (len(known), sum(e.label for e in known), max(e.event_time for e in known), liked, disliked, tallies)


def standing_out(events: list[Event], user: str, as_of: datetime, last_n: int, tallied: int, items: dict):
    """(shown_events, shown_liked, above, below) of the same newest events as ``history``, in fractions."""
    known = [e for e in events if e.user_id == user and e.known_time < as_of]
    newest = sorted(known, key=lambda e: (e.event_time, e.item_id))[-last_n:]
    share = Fraction(sum(e.label for e in newest), len(newest))
    counts = {label: Counter(a for e in newest if e.label == label for a in items[e.item_id][1]) for label in (0, 1)}
    clear = {-1: [], 1: []}
    for name in counts[0] | counts[1]:
        liked, total = counts[1][name], counts[0][name] + counts[1][name]
        lift, variance = liked - share * total, share * (1 - share) * (total + 4)
        if total >= 3 and lift != 0 and lift**2 >= variance:
            clear[1 if lift > 0 else -1].append((-(lift**2) / (total + 4), name, liked, total - liked))
    above, below = ([counted[1:] for counted in sorted(clear[side])[:tallied]] for side in (1, -1))
    return len(newest), sum(e.label for e in newest), above, below


def newest_snapshot(times: list[datetime], event_time: datetime) -> datetime | None:
    """The newest as_of <= event_time."""
    return max((t for t in times if t <= event_time), default=None)


def utc(time: datetime | None) -> datetime | None:
    """PySpark hands out naive local times; the oracle's are UTC."""
    return time and time.astimezone(UTC)


def shown(rows) -> dict:
    """What ``history`` says of each row of user_histories, keyed by (user_id, as_of)."""
    return {
        (r.user_id, utc(r.as_of)): (
            r.n_events, r.n_liked, utc(r.source_max_time), r.liked, r.disliked, [tuple(t) for t in r.tallies],
        )
        for r in rows
    }  # fmt: skip


def shown_standing_out(rows) -> dict:
    """What ``standing_out`` says of each row of user_histories, keyed by (user_id, as_of)."""
    return {
        (r.user_id, utc(r.as_of)): (
            r.shown_events, r.shown_liked, [tuple(t) for t in r.above], [tuple(t) for t in r.below],
        )
        for r in rows
    }  # fmt: skip
