"""A night reads only users with news, and comes to the same as one that reads everybody."""

import random
from datetime import timedelta

import pytest

from jobs import build_histories, nightly
from tests.e2e.logs import START, counts, rows, write_conf, write_csv

pytestmark = pytest.mark.e2e

FIRST_NIGHT, NIGHTS = 8, 3


def event(user: int, item: int, hours: float, stars: int) -> dict[str, object]:
    return {"member": f"u{user}", "sku": f"i{item}", "at": (START + timedelta(hours=hours)).isoformat(), "stars": stars}


def some_events(dice: random.Random, count: int, users: int, before_hour: int) -> list[dict[str, object]]:
    return [
        event(dice.randrange(users), dice.randrange(9), dice.uniform(0, before_hour), dice.randint(1, 5))
        for _ in range(count)
    ]


def changed(dice: random.Random, log: list[dict[str, object]], night: int) -> list[dict[str, object]]:
    """What a source does in a day: new events, some of them of after the night, late ones, others gone or corrected."""
    log = [row for row in log if dice.random() > 0.01]
    log = [{**row, "stars": dice.randint(1, 5)} if dice.random() < 0.01 else row for row in log]
    new = [event(dice.randrange(22), dice.randrange(9), 24 * night + dice.uniform(-24, 12), 5) for _ in range(6)]
    return [*log, *new, *some_events(dice, 2, 22, 24 * night), {**event(0, 0, 30, 4), "member": ""}]


def histories(folder) -> list[str]:
    return sorted(
        str({name: value for name, value in row.items() if name not in ("run_id", "created_time")})
        for row in rows(folder, "user_histories")
    )


@pytest.mark.parametrize("seed", [1, pytest.param(2, marks=pytest.mark.slow), pytest.param(3, marks=pytest.mark.slow)])
def test_nights_of_a_random_log_come_to_what_full_ones_come_to(spark, tmp_path, seed):
    dice = random.Random(seed)
    confs = {}
    for name in ("incremental", "full"):
        (tmp_path / name).mkdir()
        confs[name] = ["--conf", str(write_conf(tmp_path / name, histories={"policy": "nightly"}))]
    log = [*some_events(dice, 150, 20, 24 * (FIRST_NIGHT - 1)), event(5, 3, 24 * (FIRST_NIGHT - 2), 4)]
    titles = [f"Title {n}" for n in range(9)]
    for night in range(FIRST_NIGHT, FIRST_NIGHT + NIGHTS):
        log = changed(dice, log, night)
        if night == FIRST_NIGHT + 1:
            titles[3] = "Another title"
        # In the first night an item has not been loaded, in the next a user, who met the item of the other title.
        loaded = [row for row in log if night != FIRST_NIGHT + 1 or row["member"] != "u5"]
        catalogue = [
            {"sku": f"i{n}", "name": title, "genres": "War"}
            for n, title in enumerate(titles)
            if night != FIRST_NIGHT or n != 7
        ]
        for name, flags in confs.items():
            write_csv(tmp_path / name / "log.csv", loaded)
            write_csv(tmp_path / name / "items.csv", catalogue)
            as_of = f"histories.as_of={(START + timedelta(days=night)).isoformat()}"
            full = ["--full"] if name == "full" else []
            assert build_histories.main([*flags, "--set", as_of, "--run-id", str(night), *full]) == 0
        assert histories(tmp_path / "incremental") == histories(tmp_path / "full"), night
        if night == FIRST_NIGHT + 2:
            assert counts(tmp_path / "incremental", str(night), "histories")["users without news"] > 3


@pytest.mark.slow
def test_who_was_kept_as_published_is_read_again_the_next_night(spark, tmp_path):
    flags = ["--conf", str(write_conf(tmp_path, histories={"policy": "nightly", "as_of": "2024-01-14T01:00:00"}))]
    assert nightly.main(flags) == 0
    write_csv(tmp_path / "items.csv", [{"sku": f"i{n}", "name": f"B {n}", "genres": "War"} for n in range(9)])
    assert build_histories.main([*flags, "--run-id", "kept"]) == 0
    assert counts(tmp_path, "kept", "histories")["kept as published"] == 4
    next_night = ["--set", "histories.as_of=2024-01-14T02:00:00"]
    assert build_histories.main([*flags, "--run-id", "next", *next_night]) == 0
    assert counts(tmp_path, "next", "histories")["rows"] == 4
    assert build_histories.main([*flags, "--run-id", "again", *next_night]) == 0
    assert counts(tmp_path, "again", "histories")["users without news"] == 4
