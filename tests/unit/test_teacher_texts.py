"""Texts of a teacher are committed as they come, faults set aside, and nothing is asked for twice."""

import pytest

from trackrec.runtime.errors import BadInputError
from trackrec.runtime.events import Progress, Stage
from trackrec.runtime.run import Run
from trackrec.stages.teacher_texts import teacher_texts
from trackrec.tables.lake import Lake
from trackrec.training.teachers.interface import TeacherText

ROWS = [{"user_id": f"u{i}", "prompt_key": f"k{i}"} for i in range(3)]


class Scripted:
    """Writes ``text of <key>``, but a fault for the keys in ``faults``."""

    def __init__(self, *faults, version="t@1", crash_at=None):
        self.version, self.faults, self.requested, self.crash_at = version, faults, [], crash_at

    def write(self, rows):
        for row in rows:
            if row["prompt_key"] == self.crash_at:
                raise KeyboardInterrupt
            self.requested.append(row["prompt_key"])
            if row["prompt_key"] in self.faults:
                yield TeacherText(row, fault="refused: 500")
            else:
                yield TeacherText(row, f"text of {row['prompt_key']}")


@pytest.fixture
def ask(settings, tmp_path):
    lake = Lake(str(tmp_path))

    def asked(teacher, rows=ROWS):
        run = Run(name="t", settings=settings, run_id="r")
        stage = Stage("distill", [asked.events.append])
        return teacher_texts(run, lake, stage, rows, teacher), stage.counts

    asked.lake, asked.events = lake, []
    return asked


def test_a_second_run_asks_only_for_what_failed(ask):
    texts, counts = ask(Scripted("k1"))
    assert texts == {"k0": "text of k0", "k2": "text of k2"}
    assert counts == {"texts": 2, "faults": 1}
    again = Scripted()
    texts, _ = ask(again)
    assert again.requested == ["k1"]
    assert texts == {key: f"text of {key}" for key in ("k0", "k1", "k2")}


def test_a_fault_is_a_row_of_quarantine_with_its_user_and_once(ask):
    ask(Scripted("k1"))
    ask(Scripted("k1"))
    (row,) = ask.lake.read_columns("quarantine", ["source_table", "reason", "user_id", "row"]).to_pylist()
    assert (row["source_table"], row["reason"], row["user_id"]) == ("teacher_reccots", "refused", "u1")
    assert '"error": "refused: 500"' in row["row"]


def test_another_teacher_writes_anew(ask):
    ask(Scripted())
    other = Scripted(version="t@2")
    ask(other)
    assert other.requested == ["k0", "k1", "k2"]


def test_what_a_killed_run_had_committed_is_not_asked_for_again(ask, monkeypatch):
    monkeypatch.setattr("trackrec.stages.teacher_texts._COMMIT", 1)
    with pytest.raises(KeyboardInterrupt):
        ask(Scripted(crash_at="k2"))
    again = Scripted()
    ask(again)
    assert again.requested == ["k2"]


def test_a_teacher_that_fails_on_every_history_is_bad_input(ask):
    with pytest.raises(BadInputError, match=r"failed on 3 histories.*refused: 500"):
        ask(Scripted("k0", "k1", "k2"))


def test_a_history_that_several_snapshots_share_is_asked_for_once(ask):
    teacher = Scripted()
    texts, _ = ask(teacher, [*ROWS, ROWS[0]])
    assert teacher.requested == ["k0", "k1", "k2"]
    assert len(texts) == 3


def test_how_far_the_teacher_is_counts_what_was_stored_and_what_failed(ask, monkeypatch):
    ask(Scripted(), ROWS[:1])
    monkeypatch.setattr("trackrec.stages.teacher_texts._COMMIT", 1)
    ask.events.clear()
    ask(Scripted("k1"))
    assert ask.events == [Progress("distill", done, 3, "histories") for done in (2, 3)]


def test_a_stage_that_fails_after_it_has_paid_for_texts_leaves_their_count(settings, tmp_path):
    run = Run(name="t", settings=settings, run_id="r")

    def distil():
        with run.stage("distill") as stage:
            teacher_texts(run, Lake(str(tmp_path)), stage, ROWS, Scripted("k1"))
            stage.figures["loss"] = 1.0
            raise BadInputError("no text fits.", "Write shorter ones.")

    with pytest.raises(BadInputError):
        distil()
    assert run.counts == {"distill_texts": 2, "distill_faults": 1}


def test_a_stage_that_fails_before_it_has_written_anything_leaves_no_count(settings):
    run = Run(name="t", settings=settings, run_id="r")

    def build():
        with run.stage("histories") as stage:
            stage.counts = {"rows": 0, "unchanged": 7, "quarantined": 0}
            raise BadInputError("none is usable.", "Check it.")

    with pytest.raises(BadInputError):
        build()
    assert run.counts == {}
