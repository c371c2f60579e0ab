"""The loop from end to end on a small log, interrupted in the middle: engines are scripted, every training is real."""

import io
import json
from contextlib import redirect_stdout

import pytest
from deltalake import DeltaTable

from jobs import alternate
from tests.e2e.logs import log_rows, write_conf, write_csv
from trackrec import alignment

pytestmark = pytest.mark.e2e

LORA = {"lora": {"rank": 4}}
STEPS = [
    "histories", "distill 0", "greedy 0", "tune 0", "measure 0",
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
        histories={"every_n": 3},
        feedback={"candidates": 3, "holdout_share": 0.3, "next_events": 2},
        models=str(folder / "models"),
        distill={"share": 1.0, "max_examples": 2, "batch_size": 2} | LORA,
        align={"batch_size": 2, "checkpoint_steps": 1} | LORA,
        tune={"max_examples": 4, "batch_size": 2} | LORA,
        loop={"rounds": 1, "holdout_samples": 12},
    )
    write_csv(folder / "log.csv", log_rows(users=8))
    first, second = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(first):
        patch.setattr(alignment.Checkpoints, "save", _killed)
        with pytest.raises(Killed):
            alternate.main(["--conf", str(conf)])
    with redirect_stdout(second):
        assert alternate.main(["--conf", str(conf)]) == 0
    return folder, first.getvalue().splitlines(), second.getvalue().splitlines()


def _killed(*_):
    raise Killed


def rows(folder, table):
    return DeltaTable(folder / "warehouse" / table).to_pyarrow_table().to_pylist()


def outcomes(folder):
    (path,) = (folder / "models" / "loops").glob("*.json")
    return json.loads(path.read_text())


def test_a_killed_loop_goes_on_at_its_step_and_trains_no_earlier_one_again(looped):
    _, first, second = looped
    begun = [line.removeprefix("loop: ") for line in first if line.startswith("loop: ")]
    assert begun == STEPS[: STEPS.index("align 1") + 1]
    told = [line.removeprefix("loop: ") for line in second if line.startswith("loop: ")]
    assert told == [f"{step} was finished before" for step in begun[:-1]] + STEPS[STEPS.index("align 1") :]


def test_every_round_registers_a_g_and_a_v(looped):
    folder, *_ = looped
    made = {(row["role"], row["round"]): row for row in rows(folder, "model_versions")}
    assert set(made) == {(role, number) for role in ("generator", "validator") for number in (0, 1)}
    g0, g1 = made["generator", 0], made["generator", 1]
    assert g1["parent"] == g0["version"] != g1["version"]
    assert made["validator", 0]["parent"] == made["validator", 1]["parent"] == g0["parent"]


def test_candidates_are_written_and_judged_for_gs_users_only_by_the_v_of_the_round_before(looped):
    folder, *_ = looped
    made = {(row["role"], row["round"]): row["version"] for row in rows(folder, "model_versions")}
    scored = rows(folder, "validations")
    assert {row["validator_version"].split("+")[0] for row in scored} == {made["validator", 0]}
    drawn = [row for row in rows(folder, "reccots") if '"n":3' in row["sampling"]]
    assert {row["generator_version"] for row in drawn} == {made["generator", 0]}
    taught = {row["user_id"] for row in rows(folder, "rec_tuning")}
    assert taught.isdisjoint(row["user_id"] for row in drawn)


def test_every_round_is_measured_with_and_without_reccots(looped):
    folder, _, second = looped
    found = outcomes(folder)
    assert list(found["measure 1"]["validator"]) == sorted(
        ["G_0", "G_1", "always the same", "none", "shuffled", "user's share"]
    )
    for row in found["measure 1"]["validator"].values():
        assert 0 <= row["ece"] <= 1
        assert row["logloss"] > 0
    assert found["measure 1"]["reccots"]["G_1"]["texts"] > 0
    assert any("V sees" in line for line in second)


def test_no_event_of_the_hold_out_teaches_anybody(looped):
    folder, *_ = looped
    events = [row["event_time"] for row in rows(folder, "samples") if row["window"] == "alignment"]
    latest = max(row["event_time"] for table in ("rec_tuning", "validations") for row in rows(folder, table))
    assert sum(time > latest for time in events) >= 0.25 * len(events)
