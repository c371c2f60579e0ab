"""Requests that end their worker are found by asking what was in flight again, apart from the others."""

import pytest

from trackrec.runtime.errors import LostWorkerError
from trackrec.stages.lost_workers import Group, LossLimit, asked_in_groups

KEYS = [f"k{i:03}" for i in range(200)]


class Cluster:
    """One worker that is asked in the keys' order, ``high_water`` in flight, and dies of ``lethal`` keys."""

    def __init__(self, lethal: set[str], *, high_water: int = 16, reports: bool = True, keys=KEYS) -> None:
        self.lethal, self.high_water, self.reports, self.keys = lethal, high_water, reports, keys
        self.asked = 0
        self.in_flight: set[str] = set()
        self.written: list[str] = []
        self.groups: list[Group] = []

    def ask(self, group: Group) -> list[str]:
        self.groups.append(group)
        keys = list(group.keys if group.keys is not None else self.keys)
        window = group.window or self.high_water
        for i in range(0, len(keys), window):
            self.asked += len(keys[i : i + window])
            if self.lethal & set(keys[i : i + window]):
                self.in_flight = set(keys[i : i + window]) if self.reports else set()
                raise RuntimeError("Caused by: Python worker exited unexpectedly (crashed)")
        return keys


def blamed(cluster: Cluster, limit: LossLimit | None = None) -> list[str]:
    """The keys that are given up; what is committed stands in ``cluster.written``."""
    found = asked_in_groups(
        cluster.ask, cluster.written.extend, lambda: cluster.keys, lambda: cluster.in_flight, limit or LossLimit(100)
    )
    return list(found)


@pytest.mark.parametrize("reports", [True, False])
@pytest.mark.parametrize("lethal", [set(), {"k000"}, {"k199"}, {"k017", "k018", "k150"}])
def test_each_lethal_request_is_found_and_all_others_are_written_once(lethal, reports):
    cluster = Cluster(lethal, reports=reports)
    assert set(blamed(cluster)) == lethal
    assert sorted(cluster.written) == [key for key in KEYS if key not in lethal]


@pytest.mark.parametrize(("reports", "most"), [(True, 5), (False, 11)])
def test_few_jobs_fail_for_one_lethal_request_fewest_where_what_was_in_flight_is_known(reports, most):
    limit = LossLimit(100)
    assert blamed(Cluster({"k100"}, reports=reports), limit) == ["k100"]
    assert limit.losses <= most


def test_twenty_lethal_requests_of_five_thousand_cost_less_than_four_requests_a_row():
    keys = [f"k{i:05}" for i in range(5000)]
    cluster = Cluster(set(keys[125::250]), high_water=128, keys=keys)
    assert set(blamed(cluster)) == cluster.lethal
    assert cluster.asked / len(keys) < 4


def test_a_request_is_given_up_only_where_it_was_alone_twice():
    cluster = Cluster({"k100"})
    assert blamed(cluster) == ["k100"]
    assert [group for group in cluster.groups if group.keys == ("k100",)] == [
        Group(("k100",), 1),
        Group(("k100",), 1, losses=1),
    ]


@pytest.mark.parametrize("times", [1, 2, 3])
def test_workers_that_are_lost_by_chance_give_no_request_up(times):
    """``times``: how often the system takes the worker away from this request."""
    cluster = Cluster({"k100"})
    chance = iter([{"k100"}] * (times - 1))

    def ask(group: Group) -> list[str]:
        try:
            return cluster.ask(group)
        except RuntimeError:
            cluster.lethal = next(chance, set())
            raise

    found = asked_in_groups(ask, cluster.written.extend, lambda: KEYS, lambda: cluster.in_flight, LossLimit(100))
    assert list(found) == []
    assert sorted(cluster.written) == KEYS


def test_more_losses_than_allowed_end_the_stage_with_the_setting_named():
    with pytest.raises(LostWorkerError, match="max_lost_workers 3"):
        blamed(Cluster(set(KEYS)), LossLimit(3))


def test_an_error_of_the_commit_is_no_lost_worker_though_it_reads_like_one():
    def commit(keys: list[str]) -> None:
        raise RuntimeError("ExecutorLostFailure")

    with pytest.raises(RuntimeError, match="ExecutorLostFailure"):
        list(asked_in_groups(lambda group: KEYS, commit, lambda: KEYS, set, LossLimit(100)))


def test_another_error_is_raised_as_it_is():
    def ask(group: Group) -> list[str]:
        raise ValueError("no such column")

    with pytest.raises(ValueError, match="no such column"):
        list(asked_in_groups(ask, list, lambda: KEYS, set, LossLimit(100)))
