"""A warehouse of the previous version goes on under this one: re-keyed, and nothing is generated or judged again."""

import pytest

from jobs import describe_items, generate_reccot, nightly, tune_validator, validate_reccot
from tests.e2e.logs import log_rows, rows, write_conf, write_csv
from tests.e2e.previous_version import write_previous_warehouse

pytestmark = pytest.mark.e2e

AGREEMENT = {"reward": "agreement", "min_events": 1, "max_length_corr": 1}  # as the previous version ranked
NIGHT = {"policy": "nightly", "as_of": "2024-01-09"}
CANDIDATES = ["temperature=1", "n=3", "frequency_penalty=0"]


def write_feedback(spark, folder):
    """The settings, the log and the tables of candidates and their judgements; returns the settings file."""
    conf = write_conf(
        folder,
        prompt={"template": "preference_v1"},
        histories={"every_n": 3, "windows": ["alignment"]},
        feedback={"candidates": 3, "holdout_share": 0.3, "next_events": 2, "cross_fit": False, "offset": "none"}
        | AGREEMENT,
        tune={"candidates": 0},
    )
    write_csv(folder / "log.csv", log_rows(users=4, events=12))
    write_previous_warehouse(spark, "feedback", folder / "warehouse")
    return conf


@pytest.fixture(scope="module")
def night(spark, tmp_path_factory):
    """(folder, what the same night again printed)."""
    folder = tmp_path_factory.mktemp("night")
    conf = write_conf(folder, prompt={"template": "preference_v1"}, histories=NIGHT)
    write_csv(folder / "log.csv", log_rows(users=2, events=9))
    write_previous_warehouse(spark, "night", folder / "warehouse")
    before = {table: rows(folder, table) for table in ("reccots", "reccot_embeddings", "reccot_vectors")}
    assert nightly.main(["--conf", str(conf), "--run-id", "new"]) == 0
    return folder, before


def test_the_same_night_generates_nothing_and_encodes_what_is_served_anew(night):
    folder, before = night
    (ledger,) = [dict(row["counts"]) for row in rows(folder, "runs") if row["run_id"] == "new"]
    assert {stage: ledger[f"{stage}_rows"] for stage in ("histories", "generate", "encode", "publish")} == {
        "histories": 0, "generate": 0, "encode": len(before["reccots"]), "publish": len(before["reccot_vectors"]),
    }  # fmt: skip


def test_its_items_are_encoded_with_the_first_night(night):
    folder, _ = night
    assert len(rows(folder, "item_vectors")) == 9


def test_describing_items_adds_its_own_tables_and_leaves_all_others_as_they_are(night):
    folder, _ = night
    tables = [table.name for table in (folder / "warehouse").iterdir() if table.name != "runs"]
    assert not [name for name in tables if name.startswith("item_description")]
    before = {table: sorted(map(str, rows(folder, table))) for table in tables}
    assert describe_items.main(["--conf", str(folder / "conf.yaml"), "--run-id", "described"]) == 0
    assert len(rows(folder, "item_descriptions")) == 9
    assert {table: sorted(map(str, rows(folder, table))) for table in tables} == before


def test_what_is_encoded_anew_is_a_feature_version_beside_the_earlier_one(night):
    folder, before = night
    new = [row for row in rows(folder, "reccot_vectors") if row["run_id"] == "new"]
    places = sorted((row["user_id"], row["as_of"]) for row in before["reccot_vectors"])
    assert sorted((row["user_id"], row["as_of"]) for row in new) == places
    assert len({row["feature_version"] for row in new}) == 1
    assert not {row["feature_version"] for row in new} & {
        row["feature_version"] for row in rows(folder, "reccot_vectors") if row["run_id"] != "new"
    }
    assert all(row["generator_version"] and row["template_version"] and row["liked_vector"] for row in new)


def test_texts_and_vectors_stay_and_only_keys_and_versions_change(night):
    folder, before = night
    keys = {"row_key", "generator_version", "feature_version"}
    for table, earlier in before.items():
        now = [row for row in rows(folder, table) if row["run_id"] != "new"]
        values = [name for name in earlier[0] if name not in keys]
        assert sorted(str([row[name] for name in values]) for row in now) == sorted(
            str([row[name] for name in values]) for row in earlier
        ), table
    assert {row["generator_version"] for row in rows(folder, "reccots")} == {
        f"{row['generator_version']}+scripted" for row in before["reccots"]
    }


def test_every_vector_still_names_its_reccot(night):
    folder, _ = night
    keys = {row["row_key"] for row in rows(folder, "reccots")}
    assert {row["row_key"] for row in rows(folder, "reccot_vectors")} == keys
    assert {row["row_key"] for row in rows(folder, "reccot_embeddings")} == keys
    assert {row["row_key"] for row in rows(folder, "reccot_staging")} == keys


@pytest.mark.slow
def test_rows_that_the_previous_version_writes_again_become_no_second_ones(night, spark, tmp_path):
    folder, _ = night
    generated = ("reccots", "reccot_staging", "reccot_embeddings", "reccot_vectors")
    before = {table: sorted(row["row_key"] for row in rows(folder, table)) for table in generated}
    write_previous_warehouse(spark, "night", tmp_path)  # as if it had been gone back to for a night
    for table in generated:
        again = spark.read.format("delta").load(str(tmp_path / table))
        again.write.format("delta").mode("append").save(str(folder / "warehouse" / table))
    assert nightly.main(["--conf", str(folder / "conf.yaml"), "--run-id", "after"]) == 0
    for table in ("reccots", "reccot_embeddings", "reccot_vectors"):
        assert sorted(row["row_key"] for row in rows(folder, table)) == before[table], table
    (ledger,) = [dict(row["counts"]) for row in rows(folder, "runs") if row["run_id"] == "after"]
    assert ledger["generate_rows"] == ledger["encode_rows"] == 0


def test_candidates_are_found_and_their_judgements_stay_beside_those_by_the_present_prompt(spark, tmp_path):
    conf = write_feedback(spark, tmp_path)
    preferences = rows(tmp_path, "preferences")
    for table in ("reccots", "reccot_staging"):  # the previous version told engines not apart
        where = "sample_number = 1 AND run_id = 'candidates-1'"
        spark.sql(f"UPDATE delta.`{tmp_path}/warehouse/{table}` SET engine = 'transformers' WHERE {where}")
    flags = ["--conf", str(conf), "--run-id", "new"]
    sampling = [part for text in CANDIDATES for part in ("--set", f"generator.sampling.{text}")]
    assert generate_reccot.main([*flags, *sampling]) == 0
    assert validate_reccot.main([*flags, *sampling]) == 0
    ledger = {row["job"]: dict(row["counts"]) for row in rows(tmp_path, "runs") if row["run_id"] == "new"}
    assert ledger["generate_reccot"]["generate_rows"] == 0
    validations = rows(tmp_path, "validations")
    earlier = [row["validator_version"] for row in validations if row["run_id"] != "new"]
    assert ledger["validate_reccot"]["validate_rows"] == len(earlier) == len(validations) - 6 == 6
    assert all(version.endswith("+scripted+validator@8c4450590f97") for version in earlier), "another V's"
    keys = {row["row_key"] for row in rows(tmp_path, "reccots")}
    assert {row["row_key"] for row in rows(tmp_path, "validations")} <= keys
    assert {row["row_key"] for row in rows(tmp_path, "rec_tuning")} <= keys
    renewed = [row for row in rows(tmp_path, "preferences") if row["validator_version"] in earlier]
    assert sorted(row["prompt_key"] for row in renewed) == sorted(row["prompt_key"] for row in preferences)
    assert {c["row_key"] for row in renewed for c in (row["chosen"], *row["rejected"])} <= keys


@pytest.mark.slow
def test_the_rows_that_v_was_tuned_on_stay_as_they_are(spark, tmp_path, monkeypatch):
    conf = write_feedback(spark, tmp_path)
    before = rows(tmp_path, "rec_tuning")
    monkeypatch.setattr("trackrec.stages.tune.tune_validator", lambda run, tables, **_: None)  # only the rows matter
    assert tune_validator.main(["--conf", str(conf), "--run-id", "new", "--set", "tune.next_events=2"]) == 0
    after = [row for row in rows(tmp_path, "rec_tuning") if row["run_id"] != "new"]
    assert len(rows(tmp_path, "rec_tuning")) > len(after), "those with the present prompt stand beside them"
    same = ("item_id", "event_time", "label", "prompt_body", "run_id")
    assert sorted(str([row[c] for c in same]) for row in after) == sorted(str([row[c] for c in same]) for row in before)
