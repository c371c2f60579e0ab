"""History, counters and the as-of join against plain loops, with ties and events that became known late."""

import numpy as np
import pytest

from trackrec.ctr.as_of import counts_before, newest_until, own_history


def random_log(seed):
    random = np.random.default_rng(seed)
    rows = 200
    user = random.integers(0, 6, rows)
    time = random.integers(0, 60, rows)  # many events share their instant
    order = np.lexsort((np.arange(rows), time, user))
    user, time = user[order], time[order]
    late = np.where(random.random(rows) < 0.3, random.integers(1, 30, rows), 0)
    return user, time, time + late, random.integers(0, 2, rows)


@pytest.mark.parametrize("seed", range(5))
def test_own_history_is_the_newest_events_known_strictly_before_the_event(seed):
    user, time, known, _ = random_log(seed)
    history = own_history(user, time, known, 7)
    for row in range(len(user)):
        before = [i for i in range(len(user)) if user[i] == user[row] and known[i] < time[row]]
        newest = before[-7:]  # rows stand in the order of time
        assert history[row].tolist() == [-1] * (7 - len(newest)) + newest


@pytest.mark.parametrize("seed", range(5))
def test_counts_are_of_events_known_strictly_before_the_event(seed):
    user, time, known, label = random_log(seed)
    shuffled = np.random.default_rng(seed).permutation(len(user))
    user, time, known, label = user[shuffled], time[shuffled], known[shuffled], label[shuffled]
    events, liked = counts_before(user, time, known, label)
    for row in range(len(user)):
        before = [i for i in range(len(user)) if user[i] == user[row] and known[i] < time[row]]
        assert (events[row], liked[row]) == (len(before), sum(label[before]))


def test_events_of_the_same_instant_do_not_see_each_other():
    user, time = np.array([0, 0, 0]), np.array([5, 9, 9])
    assert own_history(user, time, time, 2).tolist() == [[-1, -1], [-1, 0], [-1, 0]]


def test_times_in_microseconds_of_many_users_do_not_overflow():
    user = np.array([0, 3_000_000, 3_000_000])
    time = np.array([1, 2, 3]) * 890_000_000_000_000
    assert own_history(user, time, time, 1).tolist() == [[-1], [-1], [1]]


@pytest.mark.parametrize("seed", range(5))
def test_the_join_takes_the_newest_snapshot_at_or_before_the_event(seed):
    user, time, _, _ = random_log(seed)
    snapshots = np.unique(np.stack([user[::3], time[::3] + 1], axis=1), axis=0)
    snapshots = np.random.default_rng(seed).permutation(snapshots)
    newest = newest_until(snapshots[:, 0], snapshots[:, 1], user, time)
    for row in range(len(user)):
        fitting = [(t, i) for i, (u, t) in enumerate(snapshots) if u == user[row] and t <= time[row]]
        assert newest[row] == (max(fitting)[1] if fitting else -1)


def test_of_snapshots_of_the_same_instant_the_last_row_is_taken():
    user, time = np.array([3, 3, 1]), np.array([5, 5, 5])
    assert newest_until(user, time, np.array([3, 1, 2, 3]), np.array([5, 9, 9, 4])).tolist() == [1, 2, -1, -1]


def test_a_join_with_nothing_finds_nothing():
    nothing = np.array([], dtype=int)
    assert newest_until(nothing, nothing, np.array([1]), np.array([2])).tolist() == [-1]
    assert newest_until(np.array([1]), np.array([2]), nothing, nothing).tolist() == []


@pytest.mark.parametrize("seed", range(3))
def test_the_joins_are_those_of_a_search_in_one_sorted_key(seed):
    """On a larger log in microseconds, all rows at once: the joins by pandas give what a search over ranks gives."""
    random = np.random.default_rng(seed)
    rows, month = 5_000, 30 * 86_400
    group, time = random.integers(0, 40, rows), random.integers(0, month, rows) // 600 * 600 * 1_000_000
    known = time + random.integers(0, 2, rows) * random.integers(0, month, rows) * 1_000_000
    label = random.integers(0, 2, rows)
    assert np.array_equal(counts_before(group, time, known, label), searched_counts(group, time, known, label))
    some = random.permutation(rows)[:500]
    assert np.array_equal(
        newest_until(group[some], time[some], group, time), searched_newest(group[some], time[some], group, time)
    )


def keys(group, *times):
    distinct, ranks = np.unique(np.concatenate(times), return_inverse=True)
    return [group * len(distinct) + rank for rank in np.split(ranks, len(times))], group * len(distinct)


def searched_counts(group, time, known, label):
    (known_key, key), first = keys(group, known, time)
    order = np.argsort(known_key, kind="stable")
    liked = np.concatenate([[0], np.cumsum(label[order])])
    start, end = np.searchsorted(known_key[order], first), np.searchsorted(known_key[order], key)
    return end - start, liked[end] - liked[start]


def searched_newest(user, time, event_user, event_time):
    (key,), first = keys(np.concatenate([user, event_user]), np.concatenate([time, event_time]))
    stored, event = np.split(key, [len(user)])
    order = np.argsort(stored, kind="stable")
    at = np.searchsorted(stored[order], event, side="right") - 1
    inside = (at >= 0) & (stored[order][np.maximum(at, 0)] >= first[len(user) :])
    return np.where(inside, order[np.maximum(at, 0)], -1)
