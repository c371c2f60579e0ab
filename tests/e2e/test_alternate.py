"""The loop and its jobs on a small log, interrupted in the middle: engines are scripted, every training is real.

Of a model of two layers: what the loop does with the results does not depend on how good they are.
"""

import io
import json
import math
import re
from contextlib import redirect_stdout

import pytest

from jobs import align_generator, alternate, distill_generator, tune_validator, validate_reccot
from tests.conftest import CONF
from tests.e2e.logs import log_rows, rows, write_conf, write_csv
from tests.weights import write_shallow_weights
from trackrec.engines.build import build_engine
from trackrec.engines.interface import Request
from trackrec.engines.spec import EngineSpec
from trackrec.feedback.chosen import chosen_round
from trackrec.feedback.holdout import holdout_start_of
from trackrec.feedback.loop_state import LoopStep, newest_loop
from trackrec.feedback.user_split import in_share
from trackrec.histories.templates import template_of
from trackrec.models.resolve import Model, resolve_model
from trackrec.report.__main__ import main as report_main
from trackrec.runtime.settings import SamplingSettings
from trackrec.runtime.settings_files import load_settings
from trackrec.stages.distill import histories_to_teach
from trackrec.tables.lake import Lake
from trackrec.training import group_loop as training
from trackrec.training.teachers.statistics import StatisticsTeacher

# The loop runs in the fixture of the first test: seven minutes on 2 quiet cores, more on busy ones.
pytestmark = [pytest.mark.e2e, pytest.mark.timeout(2400)]

AGREEMENT = {"reward": "agreement", "min_events": 1, "max_length_corr": 1}  # in so small a log few events have pairs
LORA = {"lora": {"rank": 4}}
STEPS = [
    "distill 0", "greedy 0", "tuning_samples 0", "tune 0", "tune counterpart 0", "measure 0", "gate 1", "candidates 1",
    "validate 1", "align 1", "greedy 1", "tuning_samples 1", "tune 1", "tune counterpart 1", "measure 1",
]  # fmt: skip


class Killed(BaseException):
    pass


@pytest.fixture(scope="module")
def looped(spark, tmp_path_factory):
    """(folder, what a run printed that the gate ended, one killed in its alignment, and the one that went on).

    Engines that are scripted judge by chance, so only ``loop.gate=report`` comes to an alignment.
    """
    folder = tmp_path_factory.mktemp("looped")
    base = load_settings(CONF)
    weights = write_shallow_weights(folder / "weights", base.generator.model.source, base.cache_dir())
    conf = write_conf(
        folder,
        generator={"model": {"source": f"path:{weights}"}, "engine": "scripted", "dtype": "float32"},
        prompt={"template": "preference_v2"},
        histories={"every_n": 3},
        feedback={"candidates": 3, "holdout_share": 0.3, "next_events": 2} | AGREEMENT,
        models=str(folder / "models"),
        distill={"share": 1.0, "max_examples": 2, "batch_size": 2} | LORA,
        align={"batch_size": 2, "checkpoint_steps": 1} | LORA,
        tune={"max_examples": 12, "next_events": 2, "batch_size": 1, "checkpoint_steps": 1} | LORA,
        loop={"rounds": 1, "holdout_samples": 24, "gate": "report"},
    )
    write_csv(folder / "log.csv", log_rows(users=8))
    flags, printed = ["--conf", str(conf)], [io.StringIO() for _ in range(3)]
    with redirect_stdout(printed[0]):
        assert alternate.main([*flags, "--set", "loop.gate=require", "--run-id", "closed"]) == 0
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(printed[1]):
        patch.setattr(training.Checkpoints, "save", _killed_in_alignment)
        with pytest.raises(Killed):
            alternate.main(flags)
    with redirect_stdout(printed[2]):
        assert alternate.main(flags) == 0
    return folder, *(text.getvalue().splitlines() for text in printed)


def _killed_in_alignment(checkpoints, model, optimizer, step, save=training.Checkpoints.save):
    if "generator" in checkpoints.folder.parts:
        raise Killed
    save(checkpoints, model, optimizer, step)


def as_in(folder, **sources):
    """Flags of a job that is run by hand with the G and V's that the loop used in a step, e.g. g="distill 0", v=0."""
    finished = outcomes(folder)
    sets = ["histories.windows=[alignment]"]
    if "g" in sources:
        sets.append(f"generator.model.source={finished[sources['g']].labels['source']}")
    if "also" in sources:
        sets.append(f"tune.also=[{finished[sources['also']].labels['source']}]")
    if "v" in sources:
        number = sources["v"]
        for setting, kind in (("model", "tune"), ("counterpart", "tune counterpart")):
            sets.append(f"validator.{setting}.source={finished[f'{kind} {number}'].labels['source']}")
    if sources.get("drawn", "v" in sources):
        sets.append("generator.sampling={n: 3, temperature: 1, frequency_penalty: 0}")
    return ["--conf", str(folder / "conf.yaml"), *(part for text in sets for part in ("--set", text))]


def versions(folder):
    """(role, round) → row of model_versions; the role of the V of fold 1 is counterpart."""
    made = rows(folder, "model_versions")
    roles = ["counterpart" if dict(row["metrics"]).get("fold") == 1 else row["role"] for row in made]
    return {(role, row["round"]): row for role, row in zip(roles, made, strict=True)}


def unmarked_versions(folder):
    """Rows of model_versions without ``chosen``; a table has no order."""
    made = [{name: value for name, value in row.items() if name != "chosen"} for row in rows(folder, "model_versions")]
    return sorted(made, key=lambda row: (row["version"], row["created_time"]))


def outcomes(folder):
    """Step, e.g. "align 1" → its outcome."""
    loop = newest_loop(load_settings(folder / "conf.yaml"))
    return {str(step): outcome for step, outcome in loop.outcomes.items()}


def notices(lines):
    """What the loop said of its steps: neither how long it is at work nor its last line."""
    texts = [line.removeprefix("loop").strip() for line in lines if line.startswith("loop ")]
    return [text for text in texts if not text.startswith("…") and " · " not in text]


def test_a_v_that_has_not_shown_that_it_judges_moves_no_g_and_says_why(looped):
    folder, closed, *_ = looped
    said = notices(closed)
    assert said[: STEPS.index("gate 1") + 1] == STEPS[: STEPS.index("gate 1") + 1]
    why, end = said[STEPS.index("gate 1") + 1 :]
    assert why.startswith("Round 1: V_0 has not shown that it judges: ")
    assert "UAUC" in why
    assert end == "G_0 is kept and the loop ends here."
    assert " · aligned 0 of 1 rounds · " in closed[-1]
    assert f"generator.model.source {outcomes(folder)['distill 0'].labels['source']}" in closed[-1]
    ledger = [dict(row["counts"]) for row in rows(folder, "runs") if row["run_id"] == "closed"]
    assert "candidates 1 seconds" not in ledger[0]


def test_a_loop_that_the_gate_ended_goes_on_where_the_gate_only_reports(looped):
    _, _, first, _ = looped
    begun = STEPS.index("gate 1")
    assert [text for text in notices(first) if "before" in text] == [
        f"{step} was finished before" for step in STEPS[: begun + 1]
    ]


def test_a_killed_loop_goes_on_at_its_step_and_trains_no_earlier_one_again(looped):
    folder, _, first, second = looped
    steps = [text for text in notices(first) if text in STEPS]
    assert steps == STEPS[STEPS.index("candidates 1") : STEPS.index("align 1") + 1]
    done, left = STEPS[: STEPS.index("align 1")], STEPS[STEPS.index("align 1") :]
    assert [text for text in notices(second) if not text.startswith("Round 1: V_0")] == [
        f"{step} was finished before" for step in done
    ] + left
    assert " · aligned 1 of 1 rounds · " in second[-1]
    assert len(list((folder / "models" / "loops").glob("*.json"))) == 1


def test_what_a_loop_will_take_is_said_before_it_begins_and_not_when_it_goes_on(looped):
    _, closed, first, second = looped
    (forecast,) = [line for line in closed if line.startswith("forecast ") and "…" not in line]
    assert re.search(r"\d+ engine starts · .* groups · forecast minutes \d+\.\d+ · on 2 CPU cores ", forecast)
    assert not [line for line in first + second if line.startswith("forecast ")]


def test_the_distillation_names_its_teacher(looped):
    _, closed, *_ = looped
    assert [
        line
        for line in closed
        if line.startswith("distill ") and f"teacher statistics, {StatisticsTeacher.version}" in line
    ]


def test_the_chosen_g_is_marked_with_the_loop_that_chose_it(looped):
    folder, *_ = looped
    loop = newest_loop(load_settings(folder / "conf.yaml"))
    number = chosen_round(loop.of_kind("measure"))
    chosen = {(r["role"], r["round"]): r["chosen"] for r in rows(folder, "model_versions") if r["chosen"]}
    assert chosen == {("generator", number): [loop.name]}


def test_every_round_registers_a_g_and_a_v(looped):
    folder, *_ = looped
    made = versions(folder)
    validators = [(role, number) for role in ("validator", "counterpart") for number in (0, 1)]
    assert set(made) == {*validators, ("generator", 0), ("generator", 1)}
    g0, g1 = made["generator", 0], made["generator", 1]
    assert g1["parent"] == g0["version"] != g1["version"]
    assert {made[v]["parent"] for v in validators} == {g0["parent"]}
    assert len({made[v]["version"] for v in validators}) == 4


def test_of_a_training_that_is_over_its_steps_and_the_adapter_stay_and_no_checkpoints(looped):
    folder, *_ = looped
    trained = {path.parent.parent.name: path.parent for path in (folder / "models").glob("*/*/training/steps.jsonl")}
    assert len(trained) == 5, "two V_0, G_1 and two V_1"
    for kept in trained.values():
        assert not list(kept.glob("step-*"))
        for name, like in (("", kept), ("adapter_model.safetensors", kept / "steps.jsonl")):
            assert (kept.parent / "adapter" / name).stat().st_mode == like.stat().st_mode, "as readable as others"


def fold_of(user):
    return 0 if in_share(user, 0.5) else 1


def test_candidates_are_of_all_users_and_each_is_judged_by_the_v_that_was_not_tuned_on_them(looped):
    folder, *_ = looped
    made = versions(folder)
    tuned_on = {made["validator", 0]["version"]: 0, made["counterpart", 0]["version"]: 1}
    judged = {(row["user_id"], tuned_on[row["validator_version"].split("+")[0]]) for row in rows(folder, "validations")}
    assert {fold for _, fold in judged} == {0, 1}
    assert all(fold_of(user) != fold for user, fold in judged)
    drawn = [row for row in rows(folder, "reccots") if '"n":3' in row["sampling"]]
    assert {row["generator_version"] for row in drawn} == {f"{made['generator', 0]['version']}+scripted"}
    assert {fold_of(row["user_id"]) for row in drawn} == {0, 1}


def test_every_v_is_tuned_on_its_fold_and_on_what_each_g_says_of_it(looped):
    folder, *_ = looped
    made, taught = versions(folder), rows(folder, "rec_tuning")
    assert all(fold_of(row["user_id"]) == row["fold"] for row in taught)
    generators = {f"{made['generator', n]['version']}+scripted" for n in (0, 1)}
    for fold in (0, 1):
        assert {row["generator_version"] for row in taught if row["fold"] == fold} == generators


def test_every_round_is_measured_with_and_without_reccots_and_against_what_v_must_beat(looped):
    folder, *_, second = looped
    tables, counts = outcomes(folder)["measure 1"].tables, outcomes(folder)["measure 1"].counts
    others = ["G_0", "none", "offset alone", "shuffled", "user's share"]
    assert sorted(tables["validator"]) == sorted([*others, "G_1", "always the same"])
    for row in tables["validator"].values():
        assert 0 <= row["ece"] <= 1
        assert row["logloss"] > 0
    assert sorted(tables["differences"]) == others
    assert tables["differences"]["none"]["events"] == counts["events"] >= tables["differences"]["shuffled"]["events"]
    assert {"reading", "reading_low"} <= tables["differences"]["shuffled"].keys() & tables["differences"]["none"].keys()
    assert counts["users"] > 1
    assert tables["reccots"]["G_1"]["texts"] > 0
    assert any("V sees" in line for line in second)


def test_no_event_of_the_hold_out_teaches_anybody(looped):
    folder, *_ = looped
    events = [row["event_time"] for row in rows(folder, "samples") if row["window"] == "alignment"]
    latest = max(row["event_time"] for table in ("rec_tuning", "validations") for row in rows(folder, table))
    assert sum(time > latest for time in events) >= 0.25 * len(events)


def test_no_user_whom_a_v_judged_is_among_those_it_was_tuned_on(looped):
    folder, *_ = looped
    made = versions(folder)
    for fold, role in enumerate(("validator", "counterpart")):
        taught = {row["user_id"] for row in rows(folder, "rec_tuning") if row["fold"] == fold}
        judge = made[role, 0]["version"]
        scored = {r["user_id"] for r in rows(folder, "validations") if r["validator_version"].startswith(judge)}
        assert taught
        assert scored
        assert taught.isdisjoint(scored)


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
    asked = {(r["user_id"], r["item_id"], r["event_time"]) for r in rows(folder, "rec_tuning") if r["fold"] == 0}
    assert tuned["events"] == min(12, len(asked))
    assert tuned["examples"] > tuned["events"], "an event is asked about with several texts"
    assert 6 <= tuned["reccots"] == tuned["steps"]
    assert 0 < tuned["share_liked"] < 1
    for row in made.values():
        assert resolve_model(row["source"], settings.cache_dir()).version == row["version"]


@pytest.mark.parametrize(
    ("job", "sources"),
    [
        (distill_generator, {}),
        pytest.param(validate_reccot, {"g": "distill 0", "v": 0}, marks=pytest.mark.slow),
        (align_generator, {"g": "distill 0", "v": 0}),
        (align_generator, {"g": "distill 0", "drawn": True}),
        pytest.param(tune_validator, {"g": "align 1", "also": "distill 0"}, marks=pytest.mark.slow),
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
    flags = as_in(folder, g="distill 0", v=0)
    assert align_generator.main([*flags, "--set", "generator.sampling.n=4"]) == 2
    assert "Run jobs/validate_reccot.py with the same settings" in capsys.readouterr().err


def test_one_candidate_a_history_is_bad_input(looped, capsys):
    folder, *_ = looped
    assert validate_reccot.main([*as_in(folder, g="distill 0", v=0), "--set", "generator.sampling.n=1"]) == 2
    assert "one RecCoT a history cannot be compared" in capsys.readouterr().err


def test_what_is_too_long_for_v_is_quarantined_and_prefers_nothing(looped, capsys):
    folder, *_ = looped
    before = rows(folder, "preferences")
    flags = as_in(folder, g="distill 0", v=1)
    short = ["--set", "validator.engine=transformers", "--set", "validator.max_model_len=64"]
    assert validate_reccot.main([*flags, *short]) == 0
    set_aside = [row for row in rows(folder, "quarantine") if row["reason"] == "prompt_too_long"]
    assert set_aside
    assert {row["source_table"] for row in set_aside} == {"validations"}
    assert f"{len(set_aside)} quarantined" in capsys.readouterr().out
    assert rows(folder, "preferences") == before


@pytest.mark.slow
def test_an_adapter_that_the_settings_name_is_g_0_as_it_is_and_nothing_is_trained_again(looped, capsys):
    folder, *_ = looped
    given, before = outcomes(folder)["distill 0"].labels["source"], unmarked_versions(folder)
    sets = [f"generator.model.source={given}", "loop.gate=require"]
    flags = ["--conf", str(folder / "conf.yaml"), *(part for text in sets for part in ("--set", text))]
    assert alternate.main(flags) == 0
    out = capsys.readouterr().out
    assert "step 1 of" not in out
    assert f" · generator.model.source {given} · " in out.splitlines()[-1]
    loop = newest_loop(load_settings(folder / "conf.yaml", sets))
    assert loop.outcomes[LoopStep(0, "distill")].stage == "generator"
    assert unmarked_versions(folder) == before
    (first,) = [r for r in rows(folder, "model_versions") if (r["role"], r["round"]) == ("generator", 0)]
    assert loop.name in first["chosen"]
