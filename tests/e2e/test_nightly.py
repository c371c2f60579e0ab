"""Whole jobs as a user runs them, on a small log; G is scripted here, vLLM is in test_demo.py."""

import pytest
from deltalake import DeltaTable

from jobs import build_histories, encode_reccot, generate_reccot, nightly, publish_features
from tests.e2e.logs import log_rows, write_conf, write_csv

pytestmark = pytest.mark.e2e

DERIVED = ("user_histories", "reccots", "reccot_embeddings", "reccot_vectors")


@pytest.fixture
def folder(spark, tmp_path):
    return tmp_path


def rows(folder, table):
    return DeltaTable(folder / "warehouse" / table).to_pyarrow_table().to_pylist()


def counts(folder):
    return {table: len(rows(folder, table)) for table in DERIVED}


def test_a_night_fills_every_table_and_a_second_one_writes_nothing(folder, capsys):
    conf = write_conf(folder)
    assert nightly.main(["--conf", str(conf)]) == 0
    first = {table: rows(folder, table) for table in DERIVED}
    assert {len(r) for r in first.values()} == {len(first["user_histories"])} != {0}
    capsys.readouterr()
    assert nightly.main(["--conf", str(conf)]) == 0
    assert "generate   0 rows" in capsys.readouterr().out
    for table in DERIVED:
        assert sorted(map(str, rows(folder, table))) == sorted(map(str, first[table])), table


def test_under_nightly_one_new_event_makes_rows_of_exactly_that_user(folder):
    conf = write_conf(folder, histories={"policy": "nightly", "as_of": "2024-01-10"})
    assert nightly.main(["--conf", str(conf)]) == 0
    before = counts(folder)
    assert before == dict.fromkeys(DERIVED, 4)
    new = {"member": "u2", "sku": "i8", "at": "2024-01-10T08:00:00Z", "stars": 5}
    write_csv(folder / "log.csv", [r for r in log_rows() if r["at"] < "2024-01-10"] + [new])
    assert nightly.main(["--conf", str(conf), "--set", "histories.as_of=2024-01-11"]) == 0
    for table in DERIVED:
        added = [r for r in rows(folder, table) if r["as_of"].day == 11]
        assert [r["user_id"] for r in added] == ["u2"], table
        assert len(rows(folder, table)) == 5


def test_a_changed_model_or_sampling_regenerates_and_is_another_feature_version(folder):
    conf = write_conf(folder)
    assert nightly.main(["--conf", str(conf)]) == 0
    asked = counts(folder)["reccots"]
    assert nightly.main(["--conf", str(conf), "--set", "generator.sampling.max_tokens=40"]) == 0
    assert counts(folder)["reccots"] == 2 * asked
    assert len({r["feature_version"] for r in rows(folder, "reccot_vectors")}) == 2
    assert counts(folder)["user_histories"] == asked


def test_the_jobs_one_by_one_do_what_nightly_does(folder):
    conf = write_conf(folder)
    for job in (build_histories, generate_reccot, encode_reccot, publish_features):
        assert job.main(["--conf", str(conf)]) == 0
    assert len(rows(folder, "reccot_vectors")) == counts(folder)["user_histories"] > 0
    assert [r["job"] for r in sorted(rows(folder, "runs"), key=lambda r: r["created_time"])] == [
        "build_histories", "generate_reccot", "encode_reccot", "publish_features",
    ]  # fmt: skip


def test_what_a_killed_run_had_staged_is_committed_and_not_generated_again(folder, spark):
    conf = write_conf(folder)
    assert build_histories.main(["--conf", str(conf)]) == 0
    assert generate_reccot.main(["--conf", str(conf)]) == 0
    written = sorted(rows(folder, "reccots"), key=lambda r: r["row_key"])
    spark.sql(f"DELETE FROM delta.`{folder}/warehouse/reccots`")  # as if killed between staging and MERGE
    staged = len(rows(folder, "reccot_staging"))
    assert generate_reccot.main(["--conf", str(conf)]) == 0
    assert sorted(rows(folder, "reccots"), key=lambda r: r["row_key"]) == written
    assert len(rows(folder, "reccot_staging")) == staged


def test_an_empty_generation_is_marked_and_never_encoded(folder):
    conf = write_conf(folder, histories={"policy": "nightly", "as_of": "2024-01-10"}, quality={"min_coverage": 0.5})
    write_csv(folder / "items.csv", [{"sku": "i0", "name": "SCRIPT:empty", "genres": "War"}])
    write_csv(folder / "log.csv", [{**r, "sku": "i0" if r["member"] == "u1" else "i1"} for r in log_rows()])
    assert nightly.main(["--conf", str(conf)]) == 0
    assert {r["user_id"]: r["status"] for r in rows(folder, "reccots")}["u1"] == "empty"
    assert {r["user_id"] for r in rows(folder, "reccot_vectors")} == {"u0", "u2", "u3"}


def test_too_little_coverage_publishes_nothing_and_ends_with_1(folder, capsys):
    conf = write_conf(folder, histories={"policy": "nightly", "as_of": "2024-01-10"})
    write_csv(folder / "items.csv", [{"sku": "i0", "name": "SCRIPT:empty", "genres": "War"}])
    write_csv(folder / "log.csv", [{**r, "sku": "i0" if r["member"] == "u1" else "i1"} for r in log_rows()])
    assert nightly.main(["--conf", str(conf)]) == 1
    assert "coverage 0.750 (3 of 4 histories) below quality.min_coverage 0.9" in capsys.readouterr().err
    assert not (folder / "warehouse" / "reccot_vectors").exists()


def test_a_row_that_breaks_the_engine_is_quarantined_and_the_others_go_on(folder):
    conf = write_conf(folder, histories={"policy": "nightly", "as_of": "2024-01-10"}, quality={"min_coverage": 0.5})
    write_csv(folder / "items.csv", [{"sku": "i0", "name": "SCRIPT:crash", "genres": "War"}])
    write_csv(folder / "log.csv", [{**r, "sku": "i0" if r["member"] == "u1" else "i1"} for r in log_rows()])
    assert nightly.main(["--conf", str(conf)]) == 0
    assert [(r["source_table"], r["user_id"]) for r in rows(folder, "quarantine")] == [("reccots", "u1")]
    assert {r["user_id"] for r in rows(folder, "reccot_vectors")} == {"u0", "u2", "u3"}
    assert nightly.main(["--conf", str(conf)]) == 0
    assert len(rows(folder, "reccot_staging")) == 4, "a permanent fault is not asked again"
