"""Which loop goes on: the one of these settings, this data and this teacher."""

import json
import math

import pytest

from trackrec.feedback.loop_state import LoopStep, newest_loop, open_loop, settings_digest
from trackrec.runtime.events import Outcome
from trackrec.runtime.settings import Settings

DATA = {"samples": "9:1:2", "teacher": "statistics@0"}
DISTILL = LoopStep(0, "distill")


def settings_in(folder, **sections):
    model = {"model": {"source": "path:m"}}
    tree = {"generator": model, "encoder": model, "models": str(folder)}
    return Settings.model_validate(tree | sections)


def finished(settings, data=DATA, step=DISTILL):
    loop = open_loop(settings, data)
    loop.record(step, Outcome("distill", {"rows": 1}, {}, {"source": "adapter:g0"}, 1.0))
    return loop


def test_a_finished_step_is_known_at_the_next_start_with_all_that_it_came_to(tmp_path):
    settings = settings_in(tmp_path)
    measured = Outcome("measure", {"events": 3}, {"gap": 0.5}, {"v": "v@1"}, 2.5, {"validator": {"G_0": {"auc": 0.7}}})
    open_loop(settings, DATA).record(LoopStep(0, "measure"), measured)
    assert open_loop(settings, DATA).outcomes == {LoopStep(0, "measure"): measured}


def test_a_figure_that_has_no_value_is_none_in_the_file_and_nan_again_when_read(tmp_path):
    settings = settings_in(tmp_path)
    outcome = Outcome("measure", figures={"loss": math.nan}, tables={"validator": {"none": {"uauc": math.nan}}})
    open_loop(settings, DATA).record(LoopStep(0, "measure"), outcome)
    (path,) = (tmp_path / "loops").glob("*.json")
    assert json.loads(path.read_text())["steps"][0]["tables"] == {"validator": {"none": {"uauc": None}}}
    read = newest_loop(settings).outcomes[LoopStep(0, "measure")]
    assert math.isnan(read.figures["loss"])
    assert math.isnan(read.tables["validator"]["none"]["uauc"])


def test_one_more_round_is_the_same_loop(tmp_path):
    finished(settings_in(tmp_path, loop={"rounds": 2}))
    assert open_loop(settings_in(tmp_path, loop={"rounds": 3}), DATA).outcomes


def test_a_gate_that_only_reports_goes_on_with_the_loop_that_it_had_ended(tmp_path):
    finished(settings_in(tmp_path, loop={"gate": "require"}))
    assert open_loop(settings_in(tmp_path, loop={"gate": "report"}), DATA).outcomes


@pytest.mark.parametrize(
    "changed",
    [{"loop": {"holdout_samples": 7}}, {"feedback": {"next_events": 6}}, {"histories": {"every_n": 3}}],
)
def test_other_settings_are_another_loop(tmp_path, changed):
    finished(settings_in(tmp_path))
    assert not open_loop(settings_in(tmp_path, **changed), DATA).outcomes


@pytest.mark.parametrize("changed", [{"samples": "10:1:2"}, {"teacher": "openai:gpt@1"}])
def test_other_data_and_another_teacher_are_another_loop(tmp_path, changed):
    finished(settings_in(tmp_path))
    assert not open_loop(settings_in(tmp_path), DATA | changed).outcomes


def test_where_logs_go_is_no_part_of_it(tmp_path):
    assert settings_digest(settings_in(tmp_path)) == settings_digest(settings_in(tmp_path, log="elsewhere.log"))


def test_the_newest_loop_of_these_settings_is_the_one_begun_or_continued_last(tmp_path):
    settings, next_month = settings_in(tmp_path), DATA | {"samples": "10:1:2"}
    assert newest_loop(settings) is None
    finished(settings)
    finished(settings, next_month, LoopStep(1, "align"))
    finished(settings_in(tmp_path, feedback={"candidates": 3}), step=LoopStep(2, "align"))
    assert set(newest_loop(settings).outcomes) == {LoopStep(1, "align")}
    open_loop(settings, DATA)
    assert set(newest_loop(settings).outcomes) == {LoopStep(0, "distill")}


def test_a_file_of_an_earlier_version_is_no_loop(tmp_path):
    (tmp_path / "loops").mkdir()
    (tmp_path / "loops" / "0123.json").write_text('{"distill 0": {"source": "adapter:g0", "seconds": 3.0}}')
    assert newest_loop(settings_in(tmp_path)) is None
