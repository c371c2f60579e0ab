"""Users who are forgotten leave every table for good; upkeep bounds files and leaves what decides the next night."""

import shutil

import pytest
from deltalake import DeltaTable

from jobs import forget_users, maintain, nightly
from tests.e2e.logs import START, counts, rows, write_conf
from trackrec.tables.schemas import QUARANTINE, TABLES
from trackrec.tables.warehouse import Warehouse

pytestmark = pytest.mark.e2e

NIGHT = {"policy": "nightly", "as_of": "2024-01-10"}


@pytest.fixture(scope="module")
def filled(spark, tmp_path_factory):
    """A night of four users, and a scratch table of a run that was killed."""
    folder = tmp_path_factory.mktemp("upkeep")
    assert nightly.main(["--conf", str(write_conf(folder, histories=NIGHT))]) == 0
    for n in range(3):  # as many nights leave as many files
        fault = [(f"k{n}", "interactions", "bad_event_time", "u1", "{}", "r", START)]
        Warehouse(spark, str(folder / "warehouse")).insert_new(
            "quarantine", spark.createDataFrame(fault, QUARANTINE.spark_schema())
        )
    spark.createDataFrame([("u1", "a prompt")], "user_id string, prompt_body string").write.format("delta").save(
        str(folder / "warehouse" / "_scratch_of_a_killed_run")
    )
    return folder


@pytest.fixture
def copy(filled, tmp_path):
    """The warehouse again, for a test that changes it: (folder, flags of a job)."""
    shutil.copytree(filled / "warehouse", tmp_path / "warehouse")
    return tmp_path, ["--conf", str(filled / "conf.yaml"), "--set", f"warehouse={tmp_path / 'warehouse'}"]


def tables_that_name(user: str, folder) -> set[str]:
    """Tables of which some row has ``user`` as a value."""
    return {
        path.name
        for path in (folder / "warehouse").iterdir()
        if any(user in row.values() for row in DeltaTable(path).to_pyarrow_table().to_pylist())
    }


def test_a_forgotten_user_is_in_no_table_and_the_next_night_does_not_make_them_again(copy, capsys):
    folder, flags = copy
    assert tables_that_name("u1", folder) >= {"user_histories", "reccots", "reccot_staging", "reccot_vectors"}
    assert forget_users.main([*flags, "--user", " u1 ", "--run-id", "forget"]) == 0
    assert tables_that_name("u1", folder) == set()
    assert "hold the rows until jobs/maintain.py runs after" in capsys.readouterr().out
    assert counts(folder, "forget", "forget")["users"] == 1
    assert nightly.main([*flags, "--set", "histories.as_of=2024-01-11"]) == 0
    assert tables_that_name("u1", folder) == set()
    assert {row["user_id"] for row in rows(folder, "reccot_vectors")} == {"u0", "u2", "u3"}


@pytest.mark.slow
def test_users_are_named_by_a_table_too(copy, spark, tmp_path):
    folder, flags = copy
    requests = tmp_path / "requests"
    spark.createDataFrame([("u0",), ("u2",), ("nobody",)], "user_id string").write.format("delta").save(str(requests))
    assert forget_users.main([*flags, "--table", str(requests)]) == 0
    assert {row["user_id"] for row in rows(folder, "user_histories")} == {"u1", "u3"}
    assert len(rows(folder, "forgotten_users")) == 3


def test_to_forget_nobody_is_bad_input(copy, capsys):
    _, flags = copy
    assert forget_users.main(flags) == 2
    assert "no user to forget is named. Give --user ID" in capsys.readouterr().err


def test_upkeep_prunes_and_compacts_and_the_next_night_asks_for_nothing(copy):
    folder, flags = copy
    before = {name: sorted(map(str, rows(folder, name))) for name in ("user_histories", "reccots", "reccot_vectors")}
    assert maintain.main([*flags, "--run-id", "upkeep"]) == 0
    done = counts(folder, "upkeep", "maintain")
    assert done["staged rows"] == 4
    assert done["files"] < done["files before"], "the rows that were appended one by one are in one file"
    assert done["files"] <= len(TABLES)
    assert not list((folder / "warehouse").glob("_scratch*"))
    assert {name: sorted(map(str, rows(folder, name))) for name in before} == before
    assert nightly.main([*flags, "--run-id", "after"]) == 0
    assert counts(folder, "after", "generate")["rows"] == 0
