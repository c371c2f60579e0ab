"""Whole jobs as a user runs them, on a small log; G is scripted here, vLLM is in test_demo.py."""

import shutil

import pytest

from jobs import build_histories, encode_reccot, generate_reccot, nightly, publish_features
from tests.e2e.logs import log_rows, rows, write_conf, write_csv

pytestmark = pytest.mark.e2e

DERIVED = ("user_histories", "reccots", "reccot_embeddings", "reccot_vectors")
NIGHT = {"policy": "nightly", "as_of": "2024-01-10"}


@pytest.fixture(scope="module")
def filled(spark, tmp_path_factory):
    """A log whose tables were filled by the four jobs, one by one."""
    folder = tmp_path_factory.mktemp("filled")
    conf = write_conf(folder)
    for job in (build_histories, generate_reccot, encode_reccot, publish_features):
        assert job.main(["--conf", str(conf)]) == 0
    return folder


@pytest.fixture
def copy(filled, tmp_path):
    """The filled tables again, for a test that changes them: (folder, flags of a job)."""
    shutil.copytree(filled / "warehouse", tmp_path / "warehouse")
    return tmp_path, ["--conf", str(filled / "conf.yaml"), "--set", f"warehouse={tmp_path / 'warehouse'}"]


@pytest.fixture(scope="module")
def troubled(spark, tmp_path_factory):
    """A night in which G wrote nothing for u1 and u3 breaks the engine; (folder, exit code)."""
    folder = tmp_path_factory.mktemp("troubled")
    conf = write_conf(folder, histories=NIGHT)
    names = {"u1": "SCRIPT:empty", "u3": "SCRIPT:crash"}
    write_csv(folder / "items.csv", [{"sku": user, "name": name, "genres": "War"} for user, name in names.items()])
    write_csv(folder / "log.csv", [{**r, "sku": r["member"] if r["member"] in names else "i1"} for r in log_rows()])
    return folder, nightly.main(["--conf", str(conf)])


def test_the_jobs_one_by_one_fill_every_table_and_the_ledger(filled):
    counts = {table: len(rows(filled, table)) for table in DERIVED}
    assert set(counts.values()) == {counts["user_histories"]} != {0}
    assert [r["job"] for r in sorted(rows(filled, "runs"), key=lambda r: r["created_time"])] == [
        "build_histories", "generate_reccot", "encode_reccot", "publish_features",
    ]  # fmt: skip


def test_a_second_night_generates_nothing_and_leaves_every_row_as_it_was(filled, copy, capsys):
    folder, flags = copy
    assert nightly.main(flags) == 0
    assert "generate   0 rows" in capsys.readouterr().out
    for table in DERIVED:
        assert sorted(map(str, rows(folder, table))) == sorted(map(str, rows(filled, table))), table


@pytest.mark.slow
def test_a_night_encodes_the_catalogue_and_a_second_one_nothing(copy):
    folder, flags = copy
    for run_id in ("first", "second"):
        assert nightly.main([*flags, "--run-id", run_id]) == 0
    ledger = {row["run_id"]: dict(row["counts"]) for row in rows(folder, "runs")}
    assert [(ledger[run]["items_rows"], ledger[run]["items_unchanged"]) for run in ("first", "second")] == [
        (9, 0),
        (0, 9),
    ]
    assert {row["text"] for row in rows(folder, "item_vectors")} >= {"Title 0, Drama", "Title 1, Drama, Comedy"}


def test_changed_sampling_regenerates_and_is_another_feature_version(copy):
    folder, flags = copy
    asked = len(rows(folder, "reccots"))
    assert nightly.main([*flags, "--set", "generator.sampling.max_tokens=40"]) == 0
    assert len(rows(folder, "reccots")) == 2 * asked
    assert len({r["feature_version"] for r in rows(folder, "reccot_vectors")}) == 2
    assert len(rows(folder, "user_histories")) == asked


def test_what_a_killed_run_had_staged_is_committed_and_not_generated_again(filled, copy, spark):
    folder, flags = copy
    spark.sql(f"DELETE FROM delta.`{folder}/warehouse/reccots`")  # as if killed between staging and MERGE
    assert generate_reccot.main(flags) == 0
    assert sorted(map(str, rows(folder, "reccots"))) == sorted(map(str, rows(filled, "reccots")))
    assert len(rows(folder, "reccot_staging")) == len(rows(filled, "reccot_staging"))


def test_under_nightly_one_new_event_makes_rows_of_exactly_that_user(spark, tmp_path):
    conf = write_conf(tmp_path, histories=NIGHT)
    assert nightly.main(["--conf", str(conf)]) == 0
    assert {table: len(rows(tmp_path, table)) for table in DERIVED} == dict.fromkeys(DERIVED, 4)
    new = {"member": "u2", "sku": "i8", "at": "2024-01-10T08:00:00Z", "stars": 5}
    write_csv(tmp_path / "log.csv", [r for r in log_rows() if str(r["at"]) < "2024-01-10"] + [new])
    assert nightly.main(["--conf", str(conf), "--set", "histories.as_of=2024-01-11"]) == 0
    for table in DERIVED:
        added = [r["user_id"] for r in rows(tmp_path, table) if r["as_of"].day == 11]
        assert added == ["u2"], table
        assert len(rows(tmp_path, table)) == 5


def test_too_little_coverage_publishes_nothing_and_ends_with_1(troubled):
    folder, code = troubled
    assert code == 1
    assert not (folder / "warehouse" / "reccot_vectors").exists()
    assert [r["status"] for r in rows(folder, "runs")] == ["quality_gate"]


def test_a_row_that_breaks_the_engine_is_quarantined_and_the_others_go_on(troubled):
    folder, _ = troubled
    assert [(r["source_table"], r["user_id"]) for r in rows(folder, "quarantine")] == [("reccots", "u3")]
    assert {r["user_id"] for r in rows(folder, "reccots")} == {"u0", "u1", "u2"}


def test_an_empty_generation_is_marked_never_encoded_and_never_asked_again(troubled, tmp_path):
    folder, _ = troubled
    assert {r["user_id"]: r["status"] for r in rows(folder, "reccots")}["u1"] == "empty"
    assert {r["user_id"] for r in rows(folder, "reccot_embeddings")} == {"u0", "u2"}
    shutil.copytree(folder / "warehouse", tmp_path / "warehouse")
    flags = ["--conf", str(folder / "conf.yaml"), "--set", f"warehouse={tmp_path / 'warehouse'}"]
    assert nightly.main([*flags, "--set", "quality.min_coverage=0.5", "--set", "quality.max_quarantine_share=0.5"]) == 0
    assert {r["user_id"] for r in rows(tmp_path, "reccot_vectors")} == {"u0", "u2"}
    assert len(rows(tmp_path, "reccot_staging")) == 4, "neither u1 nor u3 is asked again"


def test_a_transient_fault_that_used_up_its_attempts_is_set_aside_and_asked_for_no_more(spark, tmp_path):
    conf = str(write_conf(tmp_path, histories=NIGHT, quality={"min_coverage": 0.5}))
    write_csv(tmp_path / "items.csv", [{"sku": "u1", "name": "SCRIPT:flaky", "genres": "War"}])
    write_csv(tmp_path / "log.csv", [{**r, "sku": "u1" if r["member"] == "u1" else "i1"} for r in log_rows()])
    flags = ["--conf", conf, "--set", "generator.max_attempts=2"]
    assert build_histories.main(flags) == 0
    quarantined = []
    for _ in range(3):
        assert generate_reccot.main(flags) == 0
        folder = tmp_path / "warehouse" / "quarantine"
        quarantined.append(
            [(r["user_id"], r["reason"]) for r in rows(tmp_path, "quarantine")] if folder.exists() else []
        )
    assert quarantined == [[], [("u1", "scripted_fault")], [("u1", "scripted_fault")]]
    assert sum(r["user_id"] == "u1" for r in rows(tmp_path, "reccot_staging")) == 2
