"""What was known of a user, or of an item, strictly before an event: vectorised numpy, no loop over rows."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]


def _keys(group: Ints, *times: Ints) -> tuple[list[Ints], Ints]:
    """One integer a row that sorts by (group, time), for each of ``times``; and the smallest key of each row's group.

    Ranks of the distinct times stand for the times: group · 10^15 microseconds would overflow int64.
    """
    distinct, ranks = np.unique(np.concatenate(times), return_inverse=True)
    first = group * len(distinct)
    return [first + rank for rank in np.split(ranks, len(times))], first


def own_history(user: Ints, event_time: Ints, known_time: Ints, length: int) -> Ints:
    """The newest ``length`` events of the same user, each known strictly before the row's own event_time.

    Rows must be sorted by (user, event_time), ties in any stable order; times are microseconds. Returns row numbers,
    shape (rows, length), the newest last, -1 where there are fewer. Events that share the row's instant are out, and so
    is an event that happened before it but was not known yet (known_time >= the row's event_time).
    """
    (key,), first = _keys(user, event_time)
    start = np.searchsorted(key, first)
    at = np.searchsorted(key, key) - 1  # all rows walk back together from the last event before their instant
    slot = np.full(len(user), length - 1)
    history = np.full((len(user), length), -1)
    rows = np.flatnonzero(at >= start)
    while rows.size:
        known = known_time[at[rows]] < event_time[rows]
        taken = rows[known]
        history[taken, slot[taken]] = at[taken]
        slot[taken] -= 1
        at[rows] -= 1
        rows = rows[(at[rows] >= start[rows]) & (slot[rows] >= 0)]
    return history


def counts_before(group: Ints, event_time: Ints, known_time: Ints, label: Ints) -> tuple[Ints, Ints]:
    """Events of the row's group (user, or item) known strictly before its event_time, and how many were liked.

    Rows in any order; two arrays of shape (rows,). The row itself never counts, as known_time >= event_time.
    """
    (known, event), first = _keys(group, known_time, event_time)
    order = np.argsort(known, kind="stable")
    liked = np.concatenate([[0], np.cumsum(label[order])])
    start, end = np.searchsorted(known[order], first), np.searchsorted(known[order], event)
    return end - start, liked[end] - liked[start]


def newest_until(user: Ints, time: Ints, wanted_user: Ints, wanted_time: Ints) -> Ints:
    """For each wanted (user, time) the row with the same user and the newest time <= it; -1 where there is none."""
    both_user, both_time = np.concatenate([user, wanted_user]), np.concatenate([time, wanted_time])
    (key,), first = _keys(both_user, both_time)
    have, wanted = np.split(key, [len(user)])
    order = np.argsort(have, kind="stable")
    at = np.searchsorted(have[order], wanted, side="right") - 1
    found = (at >= 0) & (have[order][np.maximum(at, 0)] >= np.split(first, [len(user)])[1])
    return np.where(found, order[np.maximum(at, 0)], -1)
