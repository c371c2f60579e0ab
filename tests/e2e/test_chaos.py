"""A night whose worker, daemon and driver are killed at random moments comes to what an undisturbed one comes to.

The short form of ``make chaos``: the same kills, the same figures, one night.
"""

import random

import pytest

from bench.chaos import LEASE, SCRIPTED, compare
from bench.killer import Killer
from bench.nights import Nights, write_log, write_settings
from bench.poison import poisoned
from bench.tally import leftovers, table_rows
from jobs import nightly

pytestmark = pytest.mark.e2e

USERS = 24
SEED = 23  # kills in the first chunk, the second and the second again
VICTIMS = ("worker", "daemon", "driver")


@pytest.fixture(scope="module")
def killed(spark, tmp_path_factory):
    """The folder of a night that was killed three times and then ran to its end, and what that came to."""
    folder = tmp_path_factory.mktemp("chaos")
    places = [folder / name for name in ("killed", "undisturbed")]
    write_log(folder, USERS, nights=1)
    for place in places:
        place.mkdir()
        write_settings(place, folder, SCRIPTED | {"chunk_rows": 8}, lease=LEASE)
    assert nightly.main(["--conf", str(places[1] / "conf.yaml")]) == 0
    nights = Nights(places[0])
    dice = random.Random(SEED)
    killer = Killer(nights, dice, users=USERS, kills=3, pace=60, in_requests=1, elsewhere=0, victims=VICTIMS)
    try:
        killer.night(0, kills=3)
    finally:
        nights.end()
    killer.close()
    compare(killer.figures, *places, 0)
    return places[0], killer.figures


def test_each_victim_was_killed_while_requests_were_in_flight(killed):
    _, figures = killed
    assert tuple(kill.victim for kill in figures.kills) == VICTIMS
    assert all(kill.uncommitted for kill in figures.kills)


def test_no_text_is_lost_doubled_or_another_one(killed):
    folder, figures = killed
    assert len(table_rows(folder, "reccot_vectors")) == USERS
    assert (figures.lost, figures.doubled, figures.changed, figures.extra) == (0, 0, 0, 0)


def test_no_more_is_paid_for_again_than_was_in_flight(killed):
    _, figures = killed
    assert 0 < figures.respent_tokens <= figures.in_flight_tokens


def test_no_process_outlives_its_run_and_workers_that_die_end_no_run(killed):
    _, figures = killed
    assert (figures.orphans, figures.failed_runs, figures.runs) == (0, 0, 2)


def test_the_next_run_takes_the_lease_over_and_leaves_nothing_behind(killed):
    folder, figures = killed
    assert len(figures.takeover_s) == 1
    assert set(leftovers(folder).values()) == {0}


@pytest.mark.slow
def test_one_poison_row_in_five_stops_a_night_by_its_gates_and_costs_the_others_nothing(tmp_path):
    assert poisoned(tmp_path / "poison", 250)["passed"]
