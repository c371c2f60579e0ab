"""V's judgements and its training rows follow the present settings and sources: what is stale teaches nobody."""

import csv
import shutil

import pytest
from delta.tables import DeltaTable
from pyspark.sql import functions as F

from tests.e2e.logs import log_rows, write_conf, write_csv
from trackrec.feedback.user_split import in_share
from trackrec.runtime.events import Stage
from trackrec.runtime.run import Run
from trackrec.runtime.settings_files import load_settings
from trackrec.stages.generate import generate_reccots
from trackrec.stages.histories import build_histories
from trackrec.stages.rec_tuning import build_rec_tuning
from trackrec.stages.validate import commit_answers, validate_reccots
from trackrec.tables.warehouse import Warehouse
from udfs.validate import OUTPUT_SCHEMA

pytestmark = pytest.mark.spark

TABLES = ("validations", "preferences", "rec_tuning")
TARGET = "<<<Corrected ("  # how V's prompt names an item of this title
CANDIDATES = ("generator.sampling.n=3", "generator.sampling.temperature=1")


def run_of(folder, *sets):
    settings = load_settings(folder / "conf.yaml", [f"warehouse={folder}/warehouse", *sets])
    return Run(name="tests", settings=settings, run_id="r")


@pytest.fixture(scope="module")
def judged_once(spark, tmp_path_factory):
    """A folder with a log of eight users whose candidates were judged and from whom V's training rows were made."""
    folder = tmp_path_factory.mktemp("judging")
    write_conf(
        folder,
        histories={"every_n": 3, "windows": ["alignment"]},
        feedback={"candidates": 3, "holdout_share": 0.3, "next_events": 2, "min_gap": 0},
        tune={"next_events": 2},
    )
    write_csv(folder / "log.csv", log_rows(users=8))
    run = run_of(folder, *CANDIDATES)
    tables = Warehouse(spark, run.settings.warehouse)
    build_histories(run, tables)
    generate_reccots(run, tables)
    validate_reccots(run, tables)
    build_rec_tuning(run, tables)
    return folder


@pytest.fixture
def folder(judged_once, tmp_path):
    """A copy of that folder, to be changed; its settings name their own files in it."""
    copy = tmp_path / "copy"
    shutil.copytree(judged_once, copy)
    conf = copy / "conf.yaml"
    conf.write_text(conf.read_text().replace(str(judged_once), str(copy)))
    return copy


def judge_again(spark, folder, *sets):
    """What V did, with these settings."""
    run = run_of(folder, *CANDIDATES, *sets)
    return validate_reccots(run, Warehouse(spark, run.settings.warehouse)).counts


def teach_again(spark, folder, *sets):
    """Rows of V's training that changed, with these settings."""
    run = run_of(folder, *CANDIDATES, *sets)
    return build_rec_tuning(run, Warehouse(spark, run.settings.warehouse)).counts["rows"]


def rows_of(spark, folder, table):
    return [
        row.asDict(recursive=True) for row in spark.read.format("delta").load(f"{folder}/warehouse/{table}").collect()
    ]


def versions(spark, folder):
    return {
        table: DeltaTable.forPath(spark, f"{folder}/warehouse/{table}").history(1).first()["version"]
        for table in TABLES
    }


def rewards_by_hand(spark, folder, events):
    """row_key → mean agreement of V with the present labels over the first ``events`` stored answers of a candidate."""
    labels = {(r["user_id"], r["item_id"], r["event_time"]): r["label"] for r in rows_of(spark, folder, "samples")}
    answers = {}
    for row in sorted(rows_of(spark, folder, "validations"), key=lambda row: (row["event_time"], row["item_id"])):
        liked = labels[row["user_id"], row["item_id"], row["event_time"]]
        answers.setdefault(row["row_key"], []).append(row["p_yes"] if liked else 1 - row["p_yes"])
    return {key: sum(values[:events]) / len(values[:events]) for key, values in answers.items()}


def rewards_preferred(spark, folder):
    preferences = rows_of(spark, folder, "preferences")
    return {c["row_key"]: c["reward"] for row in preferences for c in [row["chosen"], *row["rejected"]]}


def test_a_second_run_asks_and_writes_nothing(spark, folder):
    before = versions(spark, folder)
    counts = judge_again(spark, folder)
    assert (counts["rows"], counts["preferences"], counts["failed"]) == (0, 0, 0)
    assert counts["unchanged"] == len(rows_of(spark, folder, "validations")) > 0
    assert teach_again(spark, folder) == 0
    assert versions(spark, folder) == before


def test_answers_about_events_that_are_not_asked_about_any_more_do_not_count(spark, folder):
    both = rewards_by_hand(spark, folder, 2)
    assert judge_again(spark, folder, "feedback.next_events=1")["rows"] == 0
    first = rewards_by_hand(spark, folder, 1)
    preferred = rewards_preferred(spark, folder)
    assert preferred == pytest.approx({key: first[key] for key in preferred})
    assert preferred != pytest.approx({key: both[key] for key in preferred})


def test_events_that_v_is_tuned_on_no_more_are_deleted(spark, folder):
    before = rows_of(spark, folder, "rec_tuning")
    deleted = teach_again(spark, folder, "tune.next_events=1")
    after = [row["row_key"] for row in rows_of(spark, folder, "rec_tuning")]
    assert len(after) == len(set(after)) == len(before) - deleted > 0
    assert deleted


def test_a_user_who_is_vs_now_is_preferred_about_no_more_and_taught_to_v(spark, folder):
    users = {row["user_id"] for row in rows_of(spark, folder, "preferences")}
    moved = {user for user in users if in_share(user, 0.9)}
    assert moved
    judge_again(spark, folder, "feedback.validator_share=0.9")
    teach_again(spark, folder, "feedback.validator_share=0.9")
    assert {row["user_id"] for row in rows_of(spark, folder, "preferences")} == users - moved
    assert moved <= {row["user_id"] for row in rows_of(spark, folder, "rec_tuning")}


def test_a_user_who_is_no_longer_vs_teaches_v_no_more(spark, folder):
    users = {row["user_id"] for row in rows_of(spark, folder, "rec_tuning")}
    assert any(not in_share(user, 0.2) for user in users)
    teach_again(spark, folder, "feedback.validator_share=0.2")
    assert {row["user_id"] for row in rows_of(spark, folder, "rec_tuning")} == {u for u in users if in_share(u, 0.2)}


def test_a_corrected_title_is_judged_and_taught_anew_and_nothing_else_is(spark, folder):
    answered, taught = (
        [row["item_id"] for row in rows_of(spark, folder, table)] for table in ("validations", "rec_tuning")
    )
    item = min(set(answered) & set(taught))
    with (folder / "items.csv").open(encoding="utf-8") as file:
        items = list(csv.DictReader(file))
    write_csv(folder / "items.csv", [row | {"name": "Corrected"} if row["sku"] == item else row for row in items])
    assert judge_again(spark, folder)["rows"] == answered.count(item)
    assert teach_again(spark, folder) == taught.count(item)
    corrected = {row["item_id"] for row in rows_of(spark, folder, "rec_tuning") if TARGET in row["prompt_body"]}
    assert corrected == {item}


def test_a_corrected_label_changes_rewards_and_training_rows_and_asks_nothing(spark, folder):
    answered, taught = rows_of(spark, folder, "validations")[0], rows_of(spark, folder, "rec_tuning")[0]
    for row in (answered, taught):
        DeltaTable.forPath(spark, f"{folder}/warehouse/samples").update(
            (F.col("user_id") == row["user_id"]) & (F.col("event_time") == F.lit(row["event_time"])),
            {"label": 1 - F.col("label")},
        )
    before = rewards_preferred(spark, folder)
    assert judge_again(spark, folder)["rows"] == 0
    assert teach_again(spark, folder) > 0
    preferred = rewards_preferred(spark, folder)
    expected = rewards_by_hand(spark, folder, 2)
    assert preferred == pytest.approx({key: expected[key] for key in preferred})
    assert preferred != pytest.approx(before)
    labels = {(r["user_id"], r["event_time"]): r["label"] for r in rows_of(spark, folder, "rec_tuning")}
    assert labels[taught["user_id"], taught["event_time"]] == 1 - taught["label"]


def test_rows_of_before_question_keys_are_kept_as_answers_to_the_present_questions(spark, folder):
    stored = DeltaTable.forPath(spark, f"{folder}/warehouse/validations")
    before = rows_of(spark, folder, "validations")
    stored.update(set={"question_key": F.lit(None)})
    assert judge_again(spark, folder)["rows"] == 0
    after = rows_of(spark, folder, "validations")
    assert sorted(after, key=str) == sorted(before, key=str), "the same rows, the run that wrote them included"
    version = versions(spark, folder)["validations"]
    judge_again(spark, folder)
    assert versions(spark, folder)["validations"] == version


def test_faults_that_pass_are_counted_and_asked_again_lasting_ones_are_quarantined(spark, folder):
    row = rows_of(spark, folder, "validations")[0] | {"validator_version": "another"}
    faults = [(None, None), ("prompt_too_long: 9", "permanent"), ("engine_died: x", "transient")]
    columns = [field.split()[0] for field in OUTPUT_SCHEMA.split(", ")]
    answers = spark.createDataFrame(
        [
            tuple((row | {"item_id": f"i{i}", "error": error, "error_kind": kind})[name] for name in columns)
            for i, (error, kind) in enumerate(faults)
        ],
        OUTPUT_SCHEMA,
    )
    stage = Stage("validate")
    stage.counts = {"rows": 0, "quarantined": 0, "failed": 0}
    commit_answers(run_of(folder), Warehouse(spark, f"{folder}/warehouse"), stage, answers)
    assert stage.counts == {"rows": 1, "quarantined": 1, "failed": 1}
    assert [r["reason"] for r in rows_of(spark, folder, "quarantine")] == ["prompt_too_long"]
