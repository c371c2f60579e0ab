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
    found = own_history(user, time, known, 7)
    for row in range(len(user)):
        before = [i for i in range(len(user)) if user[i] == user[row] and known[i] < time[row]]
        newest = before[-7:]  # rows stand in the order of time
        assert found[row].tolist() == [-1] * (7 - len(newest)) + newest


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
    found = newest_until(snapshots[:, 0], snapshots[:, 1], user, time)
    for row in range(len(user)):
        fitting = [(t, i) for i, (u, t) in enumerate(snapshots) if u == user[row] and t <= time[row]]
        assert found[row] == (max(fitting)[1] if fitting else -1)
