"""What was known of a user, or of an item, at an event: as-of joins by pandas, and the user's own history."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from trackrec.metrics.arrays import Ints


def newest_until(user: Ints, time: Ints, event_user: Ints, event_time: Ints) -> Ints:
    """For each event the row of the same user with the newest time <= event_time; -1 where there is none.

    Rows (user, time) and events (event_user, event_time) stand in any order; returns row numbers, shape (events,). Of
    rows that share user and time the last one is taken.
    """
    rows = pd.DataFrame({"group": user, "time": time, "row": np.arange(len(user))})
    joined = _as_of(_sorted(rows), event_user, event_time, same_instant=True)
    return joined["row"].fillna(-1).to_numpy(dtype=np.int64)


def counts_before(group: Ints, event_time: Ints, known_time: Ints, label: Ints) -> tuple[Ints, Ints]:
    """Events of the row's group (user, or item) known strictly before its event_time, and how many were liked.

    Rows in any order; two arrays of shape (rows,). The row itself never counts, as known_time >= event_time.
    """
    rows = _sorted(pd.DataFrame({"group": group, "time": known_time, "liked": label}))
    groups = rows.groupby("group", sort=False)
    rows["events"] = groups.cumcount() + 1
    rows["liked"] = groups["liked"].cumsum()
    joined = _as_of(rows, group, event_time, same_instant=False).fillna(0)
    return joined["events"].to_numpy(dtype=np.int64), joined["liked"].to_numpy(dtype=np.int64)


def own_history(user: Ints, event_time: Ints, known_time: Ints, length: int) -> Ints:
    """The newest ``length`` events of the same user, each known strictly before the row's own event_time.

    Rows must be sorted by (user, event_time), ties in any stable order; times are microseconds. Returns row numbers,
    shape (rows, length), the newest last, -1 where there are fewer. Events that share the row's instant are out, and so
    is an event that happened before it but was not known yet (known_time >= the row's event_time). An as-of join finds
    one row, not ``length`` of them: all rows walk back together instead, at most ``length`` steps where none was late.
    """
    new_user = np.diff(user, prepend=-1) != 0
    first_of_user = _first(new_user)
    at = _first(new_user | (np.diff(event_time, prepend=-1) != 0)) - 1  # the last event before the row's instant
    slot = np.full(len(user), length - 1)
    history = np.full((len(user), length), -1)
    rows = np.flatnonzero(at >= first_of_user)
    while rows.size:
        taken = rows[known_time[at[rows]] < event_time[rows]]
        history[taken, slot[taken]] = at[taken]
        slot[taken] -= 1
        at[rows] -= 1
        rows = rows[(at[rows] >= first_of_user[rows]) & (slot[rows] >= 0)]
    return history


def _first(starts: npt.NDArray[np.bool_]) -> Ints:
    """For each row the number of the row that its run began with; ``starts`` marks these, the first row among them."""
    return np.maximum.accumulate(np.where(starts, np.arange(len(starts)), 0))


def _sorted(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.sort_values("time", kind="stable", ignore_index=True)


def _as_of(rows: pd.DataFrame, group: Ints, time: Ints, *, same_instant: bool) -> pd.DataFrame:
    """One line an event (group, time), in their order: the group's last of ``rows`` (sorted by time) until then."""
    order = np.argsort(time, kind="stable")
    events = pd.DataFrame({"group": group[order], "time": time[order]})
    joined = pd.merge_asof(events, rows, on="time", by="group", allow_exact_matches=same_instant)
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    return joined.take(place)
