"""The loop and its jobs on a small log, interrupted in the middle: engines are scripted, every training is real."""

import io
import json
import math
import re
from contextlib import redirect_stdout

import pytest

from jobs import align_generator, alternate, distill_generator, tune_validator, validate_reccot
from tests.e2e.logs import log_rows, rows, write_conf, write_csv
from trackrec.engines.build import build_engine
from trackrec.engines.interface import Request
from trackrec.engines.spec import EngineSpec
from trackrec.feedback.holdout import holdout_start_of
from trackrec.feedback.loop_state import newest_loop
from trackrec.feedback.user_split import in_share
from trackrec.histories.templates import template_of
from trackrec.models.resolve import Model, resolve_model
from trackrec.report.__main__ import main as report_main
from trackrec.runtime.settings import SamplingSettings
from trackrec.runtime.settings_files import load_settings
from trackrec.stages.distill import histories_to_teach
from trackrec.tables.lake import Lake
from trackrec.training import group_loop as training

pytestmark = pytest.mark.e2e

LORA = {"lora": {"rank": 4}}
STEPS = [
    "distill 0", "greedy 0", "tune 0", "measure 0",
    "candidates 1", "validate 1", "align 1", "greedy 1", "tune 1", "measure 1",
]  # fmt: skip


class Killed(BaseException):
    pass


@pytest.fixture(scope="module")
def looped(spark, tmp_path_factory):
    """(folder, what the first run printed until it was killed in its alignment, what the second printed)."""
    folder = tmp_path_factory.mktemp("looped")
    conf = write_conf(
        folder,
        prompt={"template": "preference_v2"},
        histories={"every_n": 3},
        feedback={"candidates": 3, "holdout_share": 0.3, "next_events": 2, "cross_fit": False},
        models=str(folder / "models"),
        distill={"share": 1.0, "max_examples": 2, "batch_size": 2} | LORA,
        align={"batch_size": 2, "checkpoint_steps": 1} | LORA,
        tune={"max_examples": 4, "next_events": 2, "candidates": 0, "batch_size": 1, "checkpoint_steps": 1} | LORA,
        loop={"rounds": 1, "holdout_samples": 12},
    )
    write_csv(folder / "log.csv", log_rows(users=8))
    first, second = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(first):
        patch.setattr(training.Checkpoints, "save", _killed_in_alignment)
        with pytest.raises(Killed):
            alternate.main(["--conf", str(conf)])
    with redirect_stdout(second):
        assert alternate.main(["--conf", str(conf)]) == 0
    return folder, first.getvalue().splitlines(), second.getvalue().splitlines()


def _killed_in_alignment(checkpoints, model, optimizer, step, save=training.Checkpoints.save):
    if "generator" in checkpoints.folder.parts:
        raise Killed
    save(checkpoints, model, optimizer, step)


def as_in(folder, **sources):
    """Flags of a job that is run by hand with the G and V that the loop used in a step, e.g. g="distill 0"."""
    finished = outcomes(folder)
    sets = ["histories.windows=[alignment]"]
    if "g" in sources:
        sets.append(f"generator.model.source={finished[sources['g']].labels['source']}")
    if "v" in sources:
        sets += [f"validator.model.source={finished[sources['v']].labels['source']}", "validator.engine=scripted"]
        sets += ["generator.sampling.temperature=1", "generator.sampling.n=3", "generator.sampling.frequency_penalty=0"]
    return ["--conf", str(folder / "conf.yaml"), *(part for text in sets for part in ("--set", text))]


def versions(folder):
    """(role, round) -> row of model_versions."""
    return {(row["role"], row["round"]): row for row in rows(folder, "model_versions")}


def outcomes(folder):
    """Step, e.g. "align 1" → its outcome."""
    loop = newest_loop(load_settings(folder / "conf.yaml"))
    return {str(step): outcome for step, outcome in loop.outcomes.items()}


def notices(lines):
    """What the loop said of its steps: neither how long it is at work nor its last line."""
    texts = [line.removeprefix("loop").strip() for line in lines if line.startswith("loop ")]
    return [text for text in texts if not text.startswith("…") and " · " not in text]


def test_a_killed_loop_goes_on_at_its_step_and_trains_no_earlier_one_again(looped):
    folder, first, second = looped
    begun = notices(first)
    assert begun == STEPS[: STEPS.index("align 1") + 1]
    assert notices(second) == [f"{step} was finished before" for step in begun[:-1]] + STEPS[STEPS.index("align 1") :]
    assert len(list((folder / "models" / "loops").glob("*.json"))) == 1


def test_what_a_loop_will_take_is_said_before_it_begins_and_not_when_it_goes_on(looped):
    _, first, second = looped
    (forecast,) = [line for line in first if line.startswith("forecast ")]
    assert re.search(r"6 engine starts · .* groups · forecast minutes \d+\.\d+ · on 2 CPU cores ", forecast)
    assert not [line for line in second if line.startswith("forecast ")]


def test_every_round_registers_a_g_and_a_v(looped):
    folder, *_ = looped
    made = versions(folder)
    assert set(made) == {(role, number) for role in ("generator", "validator") for number in (0, 1)}
    g0, g1 = made["generator", 0], made["generator", 1]
    assert g1["parent"] == g0["version"] != g1["version"]
    assert made["validator", 0]["parent"] == made["validator", 1]["parent"] == g0["parent"]


def test_of_a_training_that_is_over_its_steps_and_the_adapter_stay_and_no_checkpoints(looped):
    folder, *_ = looped
    trained = {path.parent.parent.name: path.parent for path in (folder / "models").glob("*/*/training/steps.jsonl")}
    assert len(trained) == 3, "V_0, G_1 and V_1"
    for kept in trained.values():
        assert not list(kept.glob("step-*"))
        for name, like in (("", kept), ("adapter_model.safetensors", kept / "steps.jsonl")):
            assert (kept.parent / "adapter" / name).stat().st_mode == like.stat().st_mode, "as readable as others"


def test_candidates_are_written_and_judged_for_gs_users_only_by_the_v_of_the_round_before(looped):
    folder, *_ = looped
    made = versions(folder)
    scored = rows(folder, "validations")
    assert {row["validator_version"].split("+")[0] for row in scored} == {made["validator", 0]["version"]}
    drawn = [row for row in rows(folder, "reccots") if '"n":3' in row["sampling"]]
    assert {row["generator_version"] for row in drawn} == {f"{made['generator', 0]['version']}+scripted"}
    taught = {row["user_id"] for row in rows(folder, "rec_tuning")}
    assert taught.isdisjoint(row["user_id"] for row in drawn)


def test_every_round_is_measured_with_and_without_reccots(looped):
    folder, _, second = looped
    tables = outcomes(folder)["measure 1"].tables
    assert sorted(tables["validator"]) == ["G_0", "G_1", "always the same", "none", "shuffled", "user's share"]
    for row in tables["validator"].values():
        assert 0 <= row["ece"] <= 1
        assert row["logloss"] > 0
    assert tables["reccots"]["G_1"]["texts"] > 0
    assert any("V sees" in line for line in second)


def test_no_event_of_the_hold_out_teaches_anybody(looped):
    folder, *_ = looped
    events = [row["event_time"] for row in rows(folder, "samples") if row["window"] == "alignment"]
    latest = max(row["event_time"] for table in ("rec_tuning", "validations") for row in rows(folder, table))
    assert sum(time > latest for time in events) >= 0.25 * len(events)


def test_no_event_that_v_scored_is_among_its_training_rows(looped):
    folder, *_ = looped
    taught, scored = (
        {(r["user_id"], r["item_id"], r["event_time"]) for r in rows(folder, table)}
        for table in ("rec_tuning", "validations")
    )
    assert taught
    assert scored
    assert {user for user, *_ in taught}.isdisjoint({user for user, *_ in scored})


def test_the_chosen_reccot_is_the_one_whose_probabilities_agree_best(looped):
    folder, *_ = looped
    agreed = {}
    for r in rows(folder, "validations"):
        assert 0 < r["p_yes"] < 1
        assert r["as_of"] <= r["event_time"]
        agreed.setdefault(r["row_key"], []).append(r["p_yes"] if r["label"] else 1 - r["p_yes"])
    preferences = rows(folder, "preferences")
    assert preferences
    for row in preferences:
        for candidate in [row["chosen"], *row["rejected"]]:
            mean = sum(agreed[candidate["row_key"]]) / len(agreed[candidate["row_key"]])
            assert candidate["reward"] == pytest.approx(mean)
        assert row["chosen"]["reward"] - row["rejected"][-1]["reward"] == pytest.approx(row["gap"])
        assert row["gap"] >= 0.01


def test_v_is_tuned_on_the_prompt_that_it_scores_with(looped):
    folder, *_ = looped
    tuned = {row["template_version"] for row in rows(folder, "rec_tuning")}
    scored = {row["validator_version"].split("+")[-1] for row in rows(folder, "validations")}
    assert tuned == scored
    assert len(tuned) == 1


def test_a_candidate_can_be_made_again_from_its_row(looped):
    folder, *_ = looped
    bodies = {row["prompt_key"]: row["prompt_body"] for row in rows(folder, "user_histories")}
    drawn = [row for row in rows(folder, "reccots") if row["sample_number"] == 2]
    assert drawn
    for row in drawn:
        spec = EngineSpec(Model("", "", "", "", ""), "scripted", SamplingSettings(**json.loads(row["sampling"])))
        engine = build_engine(spec)
        engine.submit(Request("", bodies[row["prompt_key"]], "They liked", row["seed"]))
        done = []
        while not done:
            done = engine.step()
        assert done[0].completions[2].text == row["raw_text"]


def test_trainings_record_what_they_were_given_and_where_they_began(looped, settings):
    folder, *_ = looped
    made = versions(folder)
    aligned = dict(made["generator", 1]["metrics"])
    assert aligned["groups"] == len(rows(folder, "preferences"))
    assert aligned["first_margin"] == 0.0
    assert aligned["first_loss"] == pytest.approx(math.log(3), abs=0.2), "three candidates, some repeated"
    assert dict(made["generator", 0]["metrics"])["examples"] == 2
    tuned = dict(made["validator", 1]["metrics"])
    assert (tuned["reccots"], tuned["examples"], tuned["steps"]) == (3, 4, 3), "of two events, one and a cut one"
    assert 0 < tuned["share_liked"] < 1
    for row in made.values():
        assert resolve_model(row["source"], settings.cache_dir()).version == row["version"]


@pytest.mark.parametrize(
    ("job", "sources"),
    [
        (distill_generator, {}),
        (validate_reccot, {"g": "distill 0", "v": "tune 0"}),
        (align_generator, {"g": "distill 0", "v": "tune 0"}),
        (tune_validator, {"g": "align 1"}),
    ],
)
def test_a_job_run_by_hand_after_the_loop_finds_its_work_done(looped, capsys, job, sources):
    folder, *_ = looped
    tables = ("validations", "preferences", "rec_tuning", "model_versions")
    before = {table: rows(folder, table) for table in tables}
    assert job.main(as_in(folder, **sources)) == 0
    assert "step 1 of" not in capsys.readouterr().out
    assert {table: rows(folder, table) for table in tables} == before


def test_the_teacher_writes_about_users_of_both_halves_and_nothing_of_the_hold_out(looped):
    folder, *_ = looped
    chosen = load_settings(folder / "conf.yaml", ["distill.max_examples=null"])
    template = template_of(chosen.prompt, chosen.histories)
    taught = histories_to_teach(chosen, Lake(chosen.warehouse), template)
    times = [r["event_time"] for r in rows(folder, "samples") if r["window"] == "alignment"]
    assert taught
    assert {in_share(r["user_id"], 0.5) for r in taught} == {True, False}
    assert max(r["as_of"] for r in taught) < holdout_start_of(times, 0.3)
    texts = rows(folder, "teacher_reccots")
    assert {r["prompt_key"] for r in texts} <= {r["prompt_key"] for r in taught}
    assert all(r["text"].startswith("They liked ") for r in texts)


def test_the_rounds_are_reported_with_one_history_in_the_words_of_every_g(looped, capsys):
    folder, *_ = looped
    assert report_main(["rounds", "--conf", str(folder / "conf.yaml")]) == 0
    report = capsys.readouterr().out
    assert "Round 1: V with G_1" in report
    assert re.search(r"of \d+ groups kept", report)
    assert re.search(r"^G_0  They liked .*^G_1  They liked ", report, re.MULTILINE | re.DOTALL)


def test_rounds_of_a_loop_that_was_never_run_are_bad_input(looped, capsys):
    folder, *_ = looped
    assert report_main(["rounds", "--conf", str(folder / "conf.yaml"), "--set", "histories.every_n=4"]) == 2
    assert "Run jobs/alternate.py first" in capsys.readouterr().err


def test_preferences_of_another_sampling_are_bad_input(looped, capsys):
    folder, *_ = looped
    flags = as_in(folder, g="distill 0", v="tune 0")
    assert align_generator.main([*flags, "--set", "generator.sampling.n=4"]) == 2
    assert "Run jobs/validate_reccot.py with the same settings" in capsys.readouterr().err


def test_one_candidate_a_history_is_bad_input(looped, capsys):
    folder, *_ = looped
    assert validate_reccot.main(as_in(folder, g="distill 0")) == 2
    assert "one RecCoT a history cannot be compared" in capsys.readouterr().err


def test_what_is_too_long_for_v_is_quarantined_and_prefers_nothing(looped, capsys):
    folder, *_ = looped
    before = rows(folder, "preferences")
    flags = as_in(folder, g="distill 0", v="tune 1")
    short = ["--set", "validator.engine=transformers", "--set", "validator.max_model_len=64"]
    assert validate_reccot.main([*flags, *short]) == 0
    set_aside = [row for row in rows(folder, "quarantine") if row["reason"] == "prompt_too_long"]
    assert set_aside
    assert {row["source_table"] for row in set_aside} == {"validations"}
    assert f"{len(set_aside)} quarantined" in capsys.readouterr().out
    assert rows(folder, "preferences") == before
