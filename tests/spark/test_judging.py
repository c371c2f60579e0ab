"""V's judgements and its training rows follow the present settings and sources: what is stale teaches nobody."""

import csv
import json
import math
import shutil
from dataclasses import replace

import pytest
from delta.tables import DeltaTable
from pyspark.sql import functions as F

from bench.rewards import candidates_and_answers, compared, lines
from tests.e2e.logs import GENRES, log_rows, write_conf, write_csv
from tests.weights import write_shallow_weights
from trackrec.feedback.offset import OFFSET_FILE, Offset, kind_of
from trackrec.feedback.user_split import in_share
from trackrec.feedback.validator import judges_of, validator_of
from trackrec.feedback.writers import tuning_writers
from trackrec.models.adapters import BASE
from trackrec.models.resolve import resolve
from trackrec.runtime.errors import BadInputError
from trackrec.runtime.events import Notice, Stage
from trackrec.runtime.run import Run
from trackrec.runtime.settings_files import load_settings
from trackrec.stages.generate import generate_reccots
from trackrec.stages.histories import build_histories
from trackrec.stages.rec_tuning import build_rec_tuning
from trackrec.stages.tune import tune_validator
from trackrec.stages.validate import commit_answers, validate_reccots
from trackrec.tables.lake import Lake
from trackrec.tables.warehouse import Warehouse
from udfs.validate import OUTPUT_SCHEMA

pytestmark = pytest.mark.spark

TABLES = ("validations", "preferences", "rec_tuning")
TARGET = "<<<Corrected ("  # how V's prompt names an item of this title
ONE_V = {"cross_fit": False, "offset": "none"}  # one that nobody tuned
AGREEMENT = {"reward": "agreement", "min_events": 1, "max_length_corr": 1}  # in so small a log few events have pairs
CANDIDATES = (
    "generator.sampling.n=3",
    "generator.sampling.temperature=1",
    "generator.sampling.frequency_penalty=0",  # conf/base.yaml's would be merged in
)


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
        feedback={"candidates": 3, "holdout_share": 0.3, "next_events": 2, "min_gap": 0} | ONE_V | AGREEMENT,
        tune={"next_events": 2, "candidates": 0},
    )
    write_csv(folder / "log.csv", log_rows(users=8))
    run = run_of(folder, *CANDIDATES)
    tables = Warehouse(spark, run.settings.warehouse)
    tables.scratch_tables = True  # as on a cluster; what the tests do with it stays in Spark's one process
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
    return outcome_of_judging(spark, folder, *sets).counts


def outcome_of_judging(spark, folder, *sets, listeners=()):
    run = replace(run_of(folder, *CANDIDATES, *sets), listeners=listeners)
    return validate_reccots(run, Warehouse(spark, run.settings.warehouse))


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


def log_odds_said(spark, folder):
    """row_key → (item, time) → what V said, and that of the same events' labels."""
    said = {}
    for row in rows_of(spark, folder, "validations"):
        said.setdefault(row["row_key"], {})[row["item_id"], row["event_time"]] = (row["label"], row["log_odds"])
    return said


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


def test_by_default_a_pair_of_a_liked_and_another_event_is_what_counts_and_groups_without_one_are_dropped(
    spark, folder
):
    outcome = outcome_of_judging(spark, folder, "feedback.reward=pairs", "feedback.min_events=2")
    said = log_odds_said(spark, folder)
    preferred = rewards_preferred(spark, folder)
    assert preferred
    for key, reward in preferred.items():
        (liked,), (other,) = ([x for label, x in said[key].values() if label == wanted] for wanted in (1, 0))
        assert reward == pytest.approx(1 / (1 + math.exp(other - liked)))
    assert outcome.counts["groups one_label"] > 0
    assert "held_back" not in outcome.figures, "half of two events is no pair"
    assert {row["reward_kind"] for row in rows_of(spark, folder, "preferences")} == {"pairs"}


def test_for_the_log_score_v_is_asked_once_a_history_without_a_reccot_and_not_again(spark, folder):
    before = log_odds_said(spark, folder)
    histories = {(r["prompt_key"], r["item_id"], r["event_time"]) for r in rows_of(spark, folder, "validations")}
    assert judge_again(spark, folder, "feedback.reward=log_score")["rows"] == len(histories)
    assert judge_again(spark, folder, "feedback.reward=log_score")["rows"] == 0
    without = {}
    for row in rows_of(spark, folder, "validations"):
        if row["row_key"] not in before:
            without[row["user_id"], row["as_of"], row["item_id"], row["event_time"]] = row["log_odds"]
    keys = {r["row_key"]: (r["user_id"], r["as_of"]) for r in rows_of(spark, folder, "reccots")}
    preferred = rewards_preferred(spark, folder)
    assert preferred
    for key, reward in preferred.items():
        gains = [
            -math.log1p(math.exp(-x if label else x)) + math.log1p(math.exp(-base if label else base))
            for event, (label, x) in before[key].items()
            for base in [without[(*keys[key], *event)]]
        ]
        assert reward == pytest.approx(sum(gains) / len(gains))


def test_length_is_taken_out_of_rewards_where_they_go_together_and_a_second_run_writes_nothing(spark, folder):
    raw, events = rewards_preferred(spark, folder), []
    outcome = outcome_of_judging(spark, folder, "feedback.max_length_corr=0", listeners=(events.append,))
    assert outcome.figures["length_corr"] != 0
    assert outcome.figures["length_corr_after"] == pytest.approx(0, abs=1e-9)
    assert outcome.counts["candidates compared"] == len(raw)
    held_back = {name: value for name, value in outcome.figures.items() if name.startswith("held_back")}
    assert held_back["held_back_low"] <= held_back["held_back"] <= held_back["held_back_high"]
    assert held_back["held_back_choices"] >= held_back["held_back_users"] > 1
    assert [e.text for e in events if isinstance(e, Notice) and e.text.startswith("reward agreement and length")]
    for row in rows_of(spark, folder, "preferences"):
        keys = [c["row_key"] for c in (row["chosen"], *row["rejected"])]
        assert row["raw_rewards"] == [raw[key] for key in keys]
        assert sum(c["reward"] for c in (row["chosen"], *row["rejected"])) == pytest.approx(sum(row["raw_rewards"]))
    before = versions(spark, folder)
    judge_again(spark, folder, "feedback.max_length_corr=0")
    assert versions(spark, folder) == before


@pytest.mark.slow
def test_all_rewards_of_the_same_answers_can_be_compared_and_figures_without_an_answer_are_none(spark, folder):
    judge_again(spark, folder, "feedback.reward=pairs", "feedback.min_events=2")
    figures = compared(*candidates_and_answers(Warehouse(spark, f"{folder}/warehouse")), 2)
    assert figures["histories"] == len(rows_of(spark, folder, "preferences")) > 0
    assert figures["rewards"]["pairs"]["same_as_pairs"] == 1.0
    assert {row["held_back"] for row in figures["rewards"].values()} == {None}, "of two events no half has a pair"
    assert sum("–" in line for line in lines(figures)) >= 5


def test_candidates_that_were_cut_are_counted_and_neither_asked_about_nor_preferred(spark, folder):
    cut = rows_of(spark, folder, "preferences")[0]["chosen"]["row_key"]
    for table, changes in (("reccots", {"status": F.lit("cut")}), ("validations", None)):
        stored, row = DeltaTable.forPath(spark, f"{folder}/warehouse/{table}"), F.col("row_key") == cut
        stored.delete(row) if changes is None else stored.update(row, changes)
    counts = judge_again(spark, folder)
    assert (counts["rows"], counts["candidates cut"]) == (0, 1)
    assert cut not in rewards_preferred(spark, folder)


@pytest.mark.slow
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


def fold(user):
    return 0 if in_share(user, 0.5) else 1


CROSS_FIT = "feedback.cross_fit=true"


def adapters(folder, settings, *offsets):
    """V's over the settings' base, whose adapters differ in their coefficients alone; none: the base. Their flags."""
    base = resolve(settings.generator.model, settings.cache_dir())
    places = []
    for i, offset in enumerate(offsets):
        place = folder / f"v{i}"
        place.mkdir()
        (place / BASE).write_text(json.dumps({"source": base.source, "version": base.version}))
        (place / "adapter_model.safetensors").write_bytes(b"")
        if offset is not None:
            offset.save(place / OFFSET_FILE)
        places.append(f"adapter:{place}")
    names = ("validator.model.source", "validator.counterpart.source")
    flags = [f"{name}={place}" for name, place in zip(names, places or [base.source], strict=False)]
    kind = next((kind_of(offset) for offset in offsets if offset is not None), "fixed")
    return [f"feedback.offset={kind}", "validator.engine=scripted", *flags]


def test_with_cross_fit_everybody_is_judged_by_the_v_of_the_other_users(spark, folder):
    first = Offset(user=1.0, item=0.5, constant=0.1, share=0.6, base=0.25)
    second = replace(first, item=0.7, fold=1)
    flags = [CROSS_FIT, *adapters(folder, run_of(folder).settings, first, second)]
    everybody = {row["user_id"] for row in rows_of(spark, folder, "reccots")}
    of_one = len(rows_of(spark, folder, "validations"))
    assert judge_again(spark, folder, *flags)["rows"] > of_one
    judges = {f: v.version for f, v in judges_of(run_of(folder, *flags).settings).items()}
    assert "+offset+" in judges[0] != judges[1]
    scored = [row for row in rows_of(spark, folder, "validations") if row["offset"] is not None]
    assert {row["user_id"] for row in scored} == everybody
    assert {fold(user) for user in everybody} == {0, 1}
    for table in (scored, [r for r in rows_of(spark, folder, "preferences") if "+offset+" in r["validator_version"]]):
        assert table
        assert all(row["validator_version"] == judges[fold(row["user_id"])] for row in table)
    counts = judge_again(spark, folder, *flags)
    assert (counts["rows"], counts["preferences"]) == (0, 0)


def test_what_the_llm_said_less_its_mean_and_the_offset_are_the_judgement(spark, folder):
    llm = {r["question_key"]: r["log_odds"] for r in rows_of(spark, folder, "validations")}
    offset = Offset(user=1.0, item=0.5, constant=0.1, share=0.6, base=0.25)
    judge_again(spark, folder, *adapters(folder, run_of(folder).settings, offset))
    scored = [row for row in rows_of(spark, folder, "validations") if row["offset"] is not None]
    assert {row["question_key"] for row in scored} == set(llm)
    for row in scored:
        assert row["log_odds"] == pytest.approx(llm[row["question_key"]] - 0.25 + row["offset"])
    assert len({row["offset"] for row in scored}) > 3


def test_a_v_without_an_llm_judges_by_the_shares_and_by_what_the_reccot_names_of_the_item(spark, folder):
    DeltaTable.forPath(spark, f"{folder}/warehouse/reccots").update(
        set={
            "text": F.when(F.col("sample_number") == 0, "They prefer Comedy.").otherwise("They are less drawn to War.")
        }
    )
    offset = Offset(user=1.0, item=0.5, constant=0.1, share=0.6, base=0.25, liked=2.0, avoided=-3.0)
    flags = [*adapters(folder, run_of(folder).settings, offset), "validator.engine=counted"]
    assert judge_again(spark, folder, *flags)["rows"] > 0
    number = {row["row_key"]: row["sample_number"] for row in rows_of(spark, folder, "reccots")}
    evidence, shares = {}, {}
    for row in rows_of(spark, folder, "validations"):
        if "+counted+offset+" not in row["validator_version"]:
            continue
        assert row["log_odds"] == row["offset"]
        genres = GENRES[: 1 + int(row["item_id"][1:]) % 4]
        named = 2.0 * ("Comedy" in genres) if number[row["row_key"]] == 0 else -3.0 * ("War" in genres)
        evidence[row["row_key"], row["item_id"]] = named
        shares.setdefault((row["user_id"], row["as_of"], row["item_id"]), []).append(row["log_odds"] - named)
    assert {0.0, 2.0, -3.0} == set(evidence.values())
    for alike in shares.values():
        assert alike == pytest.approx([alike[0]] * len(alike)), "the shares are the same for every text"


@pytest.mark.parametrize(
    ("flags", "offsets", "said"),
    [
        ([CROSS_FIT], [Offset(1, 1, 0, 0.5)], "validator.counterpart names none"),
        ([], [Offset(1, 1, 0, 0.5, liked=1, counted=True)], "an LLM that nobody tuned would judge"),
        ([], [None], "has no offset"),
        ([], [], "has no offset"),
        (
            [CROSS_FIT],
            [Offset(1, 1, 0, 0.5), Offset(1, 1, 0, 0.5)],
            "validator.counterpart names a V that was tuned on",
        ),
        ([CROSS_FIT], [Offset(1, 1, 0, 0.5, fold=1), None], "validator.model names a V that was tuned on fold 1"),
    ],
)
def test_a_v_that_is_not_what_the_settings_say_is_bad_input(spark, folder, flags, offsets, said):
    settings = run_of(folder).settings
    with pytest.raises(BadInputError, match=said):
        judge_again(spark, folder, *flags, *adapters(folder, settings, *offsets))


def test_a_v_that_began_with_another_offset_is_bad_input(spark, folder):
    flags = adapters(folder, run_of(folder).settings, Offset(1, 1, 0, 0.5, liked=1))
    with pytest.raises(BadInputError, match=r"tuned with feedback\.offset=named, and now that is fixed"):
        judge_again(spark, folder, *flags, "feedback.offset=fixed")


def test_texts_of_the_same_sampling_about_other_snapshots_are_not_judged(spark, folder):
    run = run_of(folder, *CANDIDATES, "generator.sampling.n=2")
    tables = Warehouse(spark, run.settings.warehouse)
    generate_reccots(run, tables)
    keys = sorted({row["prompt_key"] for row in rows_of(spark, folder, "preferences")})[:2]
    drawn = [r for r in rows_of(spark, folder, "reccots") if '"n":2' in r["sampling"] and r["status"] == "ok"]
    wanted = [row for row in drawn if row["prompt_key"] in keys]
    snapshots = spark.createDataFrame(
        sorted({(row["user_id"], row["as_of"]) for row in wanted}), "user_id string, as_of timestamp"
    )
    before = {row["row_key"] for row in rows_of(spark, folder, "validations")}
    validate_reccots(run, tables, snapshots)
    judged = {row["row_key"] for row in rows_of(spark, folder, "validations")} - before
    assert 0 < len(judged) < len(drawn)
    assert judged == {row["row_key"] for row in wanted}
    of_two = {row["prompt_key"] for row in rows_of(spark, folder, "preferences") if '"n":2' in row["sampling"]}
    assert of_two <= set(keys), "texts may be alike, and then there is no preference"


@pytest.mark.parametrize("bent", ["frequency_penalty=0.4", "top_p=0.9"])
def test_candidates_that_were_not_drawn_from_g_itself_are_bad_input(spark, folder, bent):
    with pytest.raises(BadInputError, match="not drawn from G itself") as refused:
        judge_again(spark, folder, f"generator.sampling.{bent}")
    assert "generator.sampling={n: 3, temperature: 1, frequency_penalty: 0, top_p: 1}" in refused.value.remedy


def test_each_fold_has_rows_of_its_own_users_and_the_other_fold_keeps_its(spark, folder):
    before = rows_of(spark, folder, "rec_tuning")
    run = run_of(folder, *CANDIDATES, CROSS_FIT)
    tables = Warehouse(spark, run.settings.warehouse)
    assert build_rec_tuning(run, tables, fold=1).counts["rows"] > 0
    after = rows_of(spark, folder, "rec_tuning")
    assert {row["fold"] for row in after} == {0, 1}
    assert all(row["fold"] == fold(row["user_id"]) for row in after)
    assert sorted((row for row in after if row["fold"] == 0), key=str) == sorted(before, key=str)
    assert build_rec_tuning(run, tables, fold=1).counts["rows"] == 0


def test_v_is_tuned_on_candidates_and_on_further_generators_of_the_same_users(spark, folder):
    run = run_of(folder, "tune.candidates=2", "generator.sampling.frequency_penalty=0.4")
    tables = Warehouse(spark, run.settings.warehouse)
    with pytest.raises(BadInputError, match=r"holds 0 RecCoTs .* tune.candidates asks for them"):
        build_rec_tuning(run, tables)
    for writer in tuning_writers(run.settings):
        generate_reccots(run.with_settings(writer), tables)
    assert build_rec_tuning(run, tables).counts["rows"] > 0
    assert build_rec_tuning(run, tables).counts["rows"] == 0, "a second run changes nothing"
    texts, rows = rows_of(spark, folder, "reccots"), rows_of(spark, folder, "rec_tuning")
    writer_of = {text["row_key"]: (text["generator_version"], text["sampling"]) for text in texts}
    assert all((row["generator_version"], row["sampling"]) == writer_of[row["row_key"]] for row in rows)
    taught = [row for row in rows if '"n":3' not in row["sampling"]]
    events = [(row["user_id"], row["item_id"], row["event_time"], row["as_of"]) for row in taught]
    assert {events.count(event) for event in events} == {3}, "the served text and two candidates"
    assert {json.loads(row["sampling"])["temperature"] for row in taught} == {0.0, 1.0}
    also = run_of(folder, "tune.candidates=0", "tune.also=[path:elsewhere]")
    assert [w.generator.model.source for w in tuning_writers(also.settings)][1:] == ["path:elsewhere"]


def test_v_learns_from_a_reader_of_what_its_reccots_name(spark, folder, tmp_path):
    """Tuned for real, on a model of two layers."""
    assert {row["named_liked"] for row in rows_of(spark, folder, "rec_tuning")} == {None}, "labels need no count"
    DeltaTable.forPath(spark, f"{folder}/warehouse/reccots").update(
        set={"text": F.lit("They prefer Comedy and are less drawn to War.")}
    )
    base = load_settings(folder / "conf.yaml")
    weights = write_shallow_weights(tmp_path / "weights", base.generator.model.source, base.cache_dir())
    sets = ("tune.targets=reader", "feedback.offset=fixed", f"validator.model.source=path:{weights}")
    assert teach_again(spark, folder, *sets) > 0
    rows = rows_of(spark, folder, "rec_tuning")
    genres = {f"i{n}": GENRES[: 1 + n % 4] for n in range(9)}
    for row in rows:
        of_item = genres[row["item_id"]]
        assert (row["named_liked"], row["named_avoided"]) == ("Comedy" in of_item, "War" in of_item)
    run = run_of(folder, *CANDIDATES, *sets, f"models={tmp_path}/models")
    tuned = tune_validator(run, Lake(run.settings.warehouse), number=0)
    assert tuned.figures["reader_liked"] >= 0 >= tuned.figures["reader_avoided"]
    assert tuned.figures["steps"] > 0
    counting = [*sets[2:], "feedback.offset=named", "validator.engine=counted", f"models={tmp_path}/models"]
    run = run_of(folder, *CANDIDATES, *counting)
    tuned = tune_validator(run, Lake(run.settings.warehouse), number=0)
    assert tuned.figures["offset_liked"] >= 0 >= tuned.figures["offset_avoided"]
    assert (tuned.figures["steps"], tuned.figures["too_long"]) == (0, 0)
    v = validator_of(run_of(folder, *counting, f"validator.model.source={tuned.labels['source']}").settings)
    assert v.offset.reads
    assert v.offset.counted
    assert "+counted+offset+" in v.version
