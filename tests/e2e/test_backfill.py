"""A night pays for its own histories, and for nothing of the past unless it is asked to."""

import pytest

from jobs import build_histories, generate_reccot, nightly
from tests.e2e.logs import counts, log_rows, rows, write_conf, write_csv

pytestmark = pytest.mark.e2e

OTHER_SAMPLING = ("--set", "generator.sampling.max_tokens=40")


@pytest.fixture(scope="module")
def nights(spark, tmp_path_factory):
    """Night 10 of four users, then night 11 with news of u2 alone and another max_tokens; what was printed then."""
    folder = tmp_path_factory.mktemp("nights")
    flags = ["--conf", str(write_conf(folder, histories={"policy": "nightly", "as_of": "2024-01-10"}))]
    assert nightly.main([*flags, "--run-id", "tenth"]) == 0
    before = [row for row in log_rows() if str(row["at"]) < "2024-01-10"]
    write_csv(folder / "log.csv", [*before, {"member": "u2", "sku": "i8", "at": "2024-01-10T08:00:00Z", "stars": 5}])
    return folder, [*flags, "--set", "histories.as_of=2024-01-11", *OTHER_SAMPLING]


def test_a_changed_setting_makes_a_night_write_about_its_own_histories_alone(nights, capsys):
    folder, flags = nights
    assert nightly.main([*flags, "--run-id", "stopped", "--set", "generator.max_pending=0"]) == 1
    assert "RecCoTs are pending for 1 prompts, above generator.max_pending 0" in capsys.readouterr().err
    assert nightly.main([*flags, "--run-id", "eleventh"]) == 0
    assert counts(folder, "eleventh", "generate")["rows"] == 1
    assert "4 histories of nights before have no RecCoT of this G; --backfill asks for them" in capsys.readouterr().out
    assert {row["user_id"] for row in rows(folder, "reccots") if '"max_tokens":40' in row["sampling"]} == {"u2"}

    assert generate_reccot.main([*flags, "--run-id", "backfill", "--backfill", "--set", "generator.max_pending=2"]) == 1
    assert "about " in (said := capsys.readouterr().err)
    assert "written tokens" in said
    assert "on 1 engine" in said
    assert generate_reccot.main([*flags, "--run-id", "some", "--backfill", "--users", "u0,u1", "--limit", "1"]) == 0
    some = counts(folder, "some", "generate")
    assert (some["rows"], some["left for later"], some["unchanged"]) == (1, 1, 0)
    assert generate_reccot.main([*flags, "--run-id", "all", "--backfill"]) == 0
    assert counts(folder, "all", "generate")["rows"] == 3


def test_what_an_unfinished_night_left_is_written_by_the_next(spark, tmp_path):
    flags = ["--conf", str(write_conf(tmp_path, histories={"policy": "nightly", "as_of": "2024-01-10"}))]
    assert build_histories.main(flags) == 0  # and nothing after it
    before = [row for row in log_rows() if str(row["at"]) < "2024-01-10"]
    write_csv(tmp_path / "log.csv", [*before, {"member": "u2", "sku": "i8", "at": "2024-01-10T08:00:00Z", "stars": 5}])
    assert nightly.main([*flags, "--set", "histories.as_of=2024-01-11"]) == 0
    assert sorted((row["user_id"], row["as_of"].day) for row in rows(tmp_path, "reccot_vectors")) == [
        ("u0", 10), ("u1", 10), ("u2", 11), ("u3", 10),
    ]  # fmt: skip
