"""Candidates, judgement, preferences and S-DPO, job by job on a small log; G and V are scripted, training is real."""

import math

import pytest
from deltalake import DeltaTable

from jobs import (
    align_generator,
    build_histories,
    distill_generator,
    generate_reccot,
    tune_validator,
    validate_reccot,
)  # fmt: skip
from tests.e2e.logs import log_rows, write_conf, write_csv
from trackrec.config_files import load_settings
from trackrec.distill import histories_to_teach, taught_text
from trackrec.lake import Lake
from trackrec.models import resolve_model
from trackrec.prompts import template_of
from trackrec.splits import holdout_start, holdout_start_of, in_share, of_validator

pytestmark = pytest.mark.e2e

SAMPLING = ["--set", "generator.sampling={n: 3, temperature: 1}"]


@pytest.fixture(scope="module")
def judged(spark, tmp_path_factory):
    """(folder, flags, what validate_reccot printed) after candidates were written and judged."""
    folder = tmp_path_factory.mktemp("judged")
    conf = write_conf(
        folder,
        histories={"every_n": 3, "windows": ["alignment"]},
        feedback={"holdout_share": 0.3},
        models=str(folder / "models"),
        align={"batch_size": 3, "checkpoint_steps": 1, "lora": {"rank": 4}},
    )
    write_csv(folder / "log.csv", log_rows(users=8))
    flags = ["--conf", str(conf), *SAMPLING]
    for job in (build_histories, generate_reccot, validate_reccot):
        assert job.main(flags) == 0
    return folder, flags


def rows(folder, table):
    return DeltaTable(folder / "warehouse" / table).to_pyarrow_table().to_pylist()


def test_every_candidate_of_gs_users_is_judged_on_its_next_events(judged):
    folder, _ = judged
    scored = rows(folder, "validations")
    candidates = {r["row_key"]: r for r in rows(folder, "reccots")}
    assert {r["row_key"] for r in scored} <= set(candidates)
    assert len({(r["row_key"], r["item_id"], r["event_time"]) for r in scored}) == len(scored) > 20
    assert all(0 < r["p_yes"] < 1 and r["as_of"] <= r["event_time"] for r in scored)


def test_v_judges_no_user_it_is_tuned_on_and_no_event_that_is_held_out(judged, spark):
    folder, _ = judged
    samples = spark.read.format("delta").load(f"{folder}/warehouse/samples")
    scored = spark.read.format("delta").load(f"{folder}/warehouse/validations")
    assert scored.where(of_validator(scored.user_id, 0.5)).isEmpty()
    assert scored.where(scored.event_time >= holdout_start(samples, 0.3)).isEmpty()
    assert not samples.where(of_validator(samples.user_id, 0.5)).isEmpty(), "some users are V's"


def test_the_chosen_reccot_is_the_one_whose_probabilities_agree_best(judged):
    folder, _ = judged
    agreed = {}
    for r in rows(folder, "validations"):
        agreed.setdefault(r["row_key"], []).append(r["p_yes"] if r["label"] else 1 - r["p_yes"])
    preferences = rows(folder, "preferences")
    assert preferences
    for row in preferences:
        for candidate in [row["chosen"], *row["rejected"]]:
            mean = sum(agreed[candidate["row_key"]]) / len(agreed[candidate["row_key"]])
            assert candidate["reward"] == pytest.approx(mean)
        assert row["chosen"]["reward"] - row["rejected"][-1]["reward"] == pytest.approx(row["gap"])
        assert row["gap"] >= 0.01


def test_judging_again_asks_nothing_and_changes_nothing(judged, capsys):
    folder, flags = judged
    before = {table: DeltaTable(folder / "warehouse" / table).version() for table in ("validations", "preferences")}
    assert validate_reccot.main(flags) == 0
    assert "validate   0 rows" in capsys.readouterr().out
    assert {table: DeltaTable(folder / "warehouse" / table).version() for table in before} == before


def test_alignment_trains_an_adapter_of_the_real_g_and_registers_it(judged, capsys, settings):
    folder, flags = judged
    assert align_generator.main(flags) == 0
    (row,) = [r for r in rows(folder, "model_versions") if r["round"] == 1]
    metrics = dict(row["metrics"])
    assert (row["role"], row["round"], row["parent"]) == (
        "generator",
        1,
        rows(folder, "reccots")[0]["generator_version"],
    )
    assert metrics["groups"] == len(rows(folder, "preferences"))
    assert metrics["first_loss"] == pytest.approx(math.log(3), abs=0.2), "three candidates, some repeated"
    assert metrics["first_margin"] == 0.0
    assert row["version"] != row["parent"]
    assert resolve_model(row["source"], settings.cache_dir()).version == row["version"]
    assert "step 1 of" in capsys.readouterr().out
    assert align_generator.main(flags) == 0
    assert "step 1 of" not in capsys.readouterr().out, "a finished training is not done again"
    assert len([r for r in rows(folder, "model_versions") if r["round"] == 1]) == 1


def test_distillation_tunes_the_real_g_on_true_texts_about_users_it_is_judged_on(judged, capsys, settings):
    folder, flags = judged
    small = ["distill.share=1.0", "distill.max_examples=3", "distill.batch_size=2", "distill.lora.rank=4"]
    few = [*flags, *(part for text in small for part in ("--set", text))]
    assert distill_generator.main(few) == 0
    out = capsys.readouterr().out
    assert "step 2 of 2: loss" in out
    (row,) = [r for r in rows(folder, "model_versions") if r["round"] == 0]
    assert row["role"] == "generator"
    assert dict(row["metrics"])["examples"] == 3
    assert f"G_0 {row['version']}, generator.model.source={row['source']}" in out
    assert resolve_model(row["source"], settings.cache_dir()).version == row["version"] != row["parent"]


def test_the_teacher_writes_about_none_of_vs_users_and_nothing_of_the_hold_out(judged):
    folder, flags = judged
    chosen = load_settings(flags[1], ["distill.share=1.0"])
    template = template_of(chosen.prompt, chosen.histories)
    taught = histories_to_teach(Lake(chosen.warehouse), chosen, template)
    times = [r["event_time"] for r in rows(folder, "samples") if r["window"] == "alignment"]
    assert taught
    assert not any(in_share(r["user_id"], 0.5) for r in taught)
    assert max(r["as_of"] for r in taught) < holdout_start_of(times, 0.3)
    assert all(taught_text(r, template).startswith("The user is drawn to ") for r in taught)


@pytest.fixture(scope="module")
def tuned(judged):
    """(folder, flags) after V was tuned on greedy RecCoTs."""
    folder, flags = judged
    greedy = ["tune.max_examples=6", "tune.batch_size=3", "tune.lora.rank=4"]
    flags = [*flags[:2], *(part for text in greedy for part in ("--set", text))]
    assert generate_reccot.main(flags) == 0
    assert tune_validator.main(flags) == 0
    return folder, flags


def test_v_is_tuned_from_its_base_on_what_its_own_users_did_next(tuned, settings):
    folder, _ = tuned
    (row,) = [r for r in rows(folder, "model_versions") if r["role"] == "validator"]
    assert resolve_model(row["source"], settings.cache_dir()).version == row["version"] != row["parent"]
    metrics = dict(row["metrics"])
    assert (metrics["examples"], metrics["steps"]) == (6, 2)
    assert 0 < metrics["share_liked"] < 1
    assert {in_share(r["user_id"], 0.5) for r in rows(folder, "rec_tuning")} == {True}


def test_no_event_that_v_scored_is_among_its_training_rows(tuned):
    folder, _ = tuned
    taught, scored = (
        {(r["user_id"], r["item_id"], r["event_time"]) for r in rows(folder, table)}
        for table in ("rec_tuning", "validations")
    )
    assert taught
    assert scored
    assert taught.isdisjoint(scored)
    assert {user for user, *_ in taught}.isdisjoint({user for user, *_ in scored})


def test_tuning_again_trains_nothing(tuned, capsys):
    folder, flags = tuned
    assert tune_validator.main(flags) == 0
    assert "step 1 of" not in capsys.readouterr().out
    assert len([r for r in rows(folder, "model_versions") if r["role"] == "validator"]) == 1


def test_alignment_without_preferences_of_this_sampling_is_bad_input(judged, capsys):
    _, flags = judged
    assert align_generator.main([*flags, "--set", "generator.sampling.n=4"]) == 2
    assert "and this sampling, judged by nobody. Run jobs/validate_reccot.py" in capsys.readouterr().err


def test_one_candidate_a_history_is_bad_input(judged, capsys):
    _, flags = judged
    assert validate_reccot.main(flags[:2]) == 2
    assert "one RecCoT a history cannot be compared" in capsys.readouterr().err
