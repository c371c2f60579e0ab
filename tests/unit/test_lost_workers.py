"""Requests that end their worker are found by asking what was in flight again, apart from the others."""

import pytest

from trackrec.runtime.errors import LostWorkerError
from trackrec.stages.lost_workers import Group, LossLimit, asked_in_groups

KEYS = [f"k{i:03}" for i in range(200)]


class Cluster:
    """One worker that is asked in the keys' order, ``high_water`` in flight, and dies of ``lethal`` keys."""

    def __init__(self, lethal: set[str], *, high_water: int = 16, reports: bool = True) -> None:
        self.lethal, self.high_water, self.reports = lethal, high_water, reports
        self.in_flight: set[str] = set()
        self.written: list[str] = []
        self.groups: list[Group] = []

    def ask(self, group: Group) -> None:
        self.groups.append(group)
        keys = list(group.keys if group.keys is not None else KEYS)
        window = group.window or self.high_water
        for i in range(0, len(keys), window):
            if self.lethal & set(keys[i : i + window]):
                self.in_flight = set(keys[i : i + window]) if self.reports else set()
                raise RuntimeError("Caused by: Python worker exited unexpectedly (crashed)")
        self.written += keys


def blamed(cluster: Cluster, most: int = 100) -> list[str]:
    return list(asked_in_groups(cluster.ask, lambda: KEYS, lambda: cluster.in_flight, LossLimit(most)))


@pytest.mark.parametrize("reports", [True, False])
@pytest.mark.parametrize("lethal", [set(), {"k000"}, {"k199"}, {"k017", "k018", "k150"}])
def test_each_lethal_request_is_found_and_all_others_are_written_once(lethal, reports):
    cluster = Cluster(lethal, reports=reports)
    assert set(blamed(cluster)) == lethal
    assert sorted(cluster.written) == [key for key in KEYS if key not in lethal]


def test_what_was_in_flight_is_known_so_four_jobs_fail_for_one_lethal_request():
    cluster = Cluster({"k100"})
    limit = LossLimit(100)
    list(asked_in_groups(cluster.ask, lambda: KEYS, lambda: cluster.in_flight, limit))
    assert limit.losses <= 4


def test_without_that_knowledge_they_are_halved():
    cluster = Cluster({"k100"}, reports=False)
    limit = LossLimit(100)
    list(asked_in_groups(cluster.ask, lambda: KEYS, lambda: cluster.in_flight, limit))
    assert limit.losses <= 10


def test_a_request_is_blamed_only_where_it_was_alone():
    cluster = Cluster({"k100"})
    assert blamed(cluster) == ["k100"]
    assert Group(("k100",), 1) in cluster.groups


def test_a_worker_lost_by_chance_blames_no_request():
    cluster = Cluster({"k100"})

    def ask(group: Group) -> None:
        try:
            cluster.ask(group)
        finally:
            cluster.lethal = set()  # the system took the worker away once

    assert list(asked_in_groups(ask, lambda: KEYS, lambda: cluster.in_flight, LossLimit(100))) == []
    assert sorted(cluster.written) == KEYS


def test_more_losses_than_allowed_end_the_stage_with_the_setting_named():
    with pytest.raises(LostWorkerError, match="max_lost_workers 3"):
        blamed(Cluster(set(KEYS)), most=3)


def test_another_error_is_raised_as_it_is():
    def ask(group: Group) -> None:
        raise ValueError("no such column")

    with pytest.raises(ValueError, match="no such column"):
        list(asked_in_groups(ask, lambda: KEYS, set, LossLimit(100)))
