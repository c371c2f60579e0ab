"""Nights in which a row ends Spark's Python worker or never finishes: it is set aside, and the others are written."""

import pytest

from jobs import build_histories, generate_reccot
from tests.e2e.logs import counts, log_rows, rows, write_conf, write_csv

pytestmark = pytest.mark.e2e

NIGHT = {"policy": "nightly", "as_of": "2024-01-10"}
SCRIPTS = {"u1": "SCRIPT:kill", "u3": "SCRIPT:hang", "u6": "SCRIPT:kill"}
USERS = 12
ORDINARY = {f"u{i}" for i in range(USERS)} - set(SCRIPTS)


def log_of(folder, scripts: dict[str, str]):
    """Settings, and a log in which the films of the users in ``scripts`` steer the scripted engine."""
    conf = write_conf(folder, histories=NIGHT)
    write_csv(folder / "items.csv", [{"sku": user, "name": name, "genres": "War"} for user, name in scripts.items()])
    log = [{**r, "sku": r["member"] if r["member"] in scripts else "i1"} for r in log_rows(USERS)]
    write_csv(folder / "log.csv", log)
    return ["--conf", str(conf), "--set", "generator.stall_seconds=2", "--set", "generator.high_water=4"]


@pytest.fixture(scope="module")
def night(spark, tmp_path_factory):
    """Texts are asked for twice where two rows kill their worker and one hangs; (folder, exit codes)."""
    folder = tmp_path_factory.mktemp("lethal")
    flags = log_of(folder, SCRIPTS)
    assert build_histories.main(flags) == 0
    return folder, [generate_reccot.main([*flags, "--run-id", run_id]) for run_id in ("first", "second")]


def test_the_job_ends_well_and_the_others_are_written(night):
    folder, codes = night
    assert codes == [0, 0]
    assert {row["user_id"] for row in rows(folder, "reccots")} == ORDINARY


def test_each_lethal_row_is_quarantined_with_its_reason(night):
    folder, _ = night
    assert {row["user_id"]: row["reason"] for row in rows(folder, "quarantine")} == {
        "u1": "kills_engine",
        "u3": "never_ends",
        "u6": "kills_engine",
    }


def test_no_text_is_written_twice_and_the_next_job_asks_for_none(night):
    folder, _ = night
    staged = [row["row_key"] for row in rows(folder, "reccot_staging")]
    assert len(staged) == len(set(staged)) == USERS
    assert counts(folder, "second", "generate")["rows"] == 0


def test_where_every_prompt_kills_its_worker_no_row_is_blamed(spark, tmp_path, capsys, monkeypatch):
    flags = log_of(tmp_path, {"u1": "Title"})
    monkeypatch.setattr("trackrec.stages.generation_job._CANARY", "SCRIPT:kill")
    write_csv(tmp_path / "items.csv", [{"sku": "i1", "name": "SCRIPT:kill", "genres": "War"}])
    assert build_histories.main(flags) == 0
    capsys.readouterr()
    assert generate_reccot.main(flags) == 70
    assert "dies with any prompt, so no row is to blame" in capsys.readouterr().err
    assert not (tmp_path / "warehouse" / "quarantine").exists()
