"""How a job ends: 0, 1 or 2 where that was foreseen, 70 where it was not; and what the ledger says of it."""

import pytest
from deltalake import DeltaTable

from tests.e2e.logs import write_conf
from trackrec.runtime.errors import BadInputError, QualityGateError
from trackrec.runtime.ledger import recorded_run
from trackrec.runtime.settings import LeaseSettings
from trackrec.stages.opening import open_warehouse
from trackrec.tables.lease import Lease
from trackrec.tables.warehouse import Warehouse

pytestmark = pytest.mark.e2e


def counted(run, tables):
    run.counts["rows"] = 3


def divides_by_zero(run, tables):
    return 1 / 0


def in_a_worker(kind, *words):
    def stage(run, tables):
        def fail(frames):
            yield from frames
            raise kind(*words)

        tables.spark.range(1).mapInPandas(fail, "id long").collect()

    return stage


def refuses(error):
    def stage(run, tables):
        raise error

    return stage


@pytest.fixture
def ended(spark, tmp_path, capsys):
    """Run stages as a job: (exit code, stderr, statuses and counts in the ledger)."""

    def run(*stages, **changes):
        flags = ["--conf", str(write_conf(tmp_path, **changes)), "--run-id", "r1"]
        with recorded_run("try", None, flags) as job:
            opened = open_warehouse(job)
            for stage in stages:
                stage(*opened)
        ledger = tmp_path / "warehouse" / "runs"
        rows = DeltaTable(ledger).to_pyarrow_table().to_pylist() if ledger.exists() else []
        return (
            job.exit_code,
            capsys.readouterr().err,
            [(r["run_id"], r["job"], r["status"], dict(r["counts"])) for r in rows],
        )

    return run


def test_a_job_that_does_its_work_ends_with_0(ended):
    assert ended(counted) == (0, "", [("r1", "try", "done", {"rows": 3.0})])


def test_a_run_beside_another_ends_with_75_and_writes_nothing(ended, spark, tmp_path):
    tables = Warehouse(spark, str(tmp_path / "warehouse"))
    other = Lease(tables, LeaseSettings(), run_id="other", job="nightly")
    other.hold()
    code, error, ledger = ended(counted)
    assert (code, ledger) == (75, [])
    assert error.startswith("error: run other (nightly, process ")
    other.release()
    assert ended(counted)[0] == 0


def test_a_quality_gate_ends_with_1_and_is_in_the_ledger(ended):
    code, error, ledger = ended(refuses(QualityGateError("too bad.", "mend it.")))
    assert (code, error) == (1, "error: too bad. mend it.\n")
    assert ledger == [("r1", "try", "quality_gate", {})]


def test_bad_input_ends_with_2_and_is_in_the_ledger_once_something_was_written(ended, tmp_path):
    refused = refuses(BadInputError("no such table.", "make it."))
    assert ended(refused) == (2, "error: no such table. make it.\n", [])
    assert not (tmp_path / "warehouse").exists()
    assert ended(counted, refused)[2] == [("r1", "try", "bad_input", {"rows": 3.0})]


def test_an_error_nobody_foresaw_ends_with_70_one_line_and_its_traceback_in_the_log(ended, tmp_path):
    code, error, ledger = ended(counted, divides_by_zero)
    assert code == 70
    assert error.startswith("error: ZeroDivisionError: division by zero - this is a bug in trackrec or its environment")
    assert error.endswith(f"the traceback is in {tmp_path}/trackrec.log.\n")
    assert error.count("\n") == 1
    log = (tmp_path / "trackrec.log").read_text()
    assert "Traceback (most recent call last)" in log
    assert "in divides_by_zero" in log
    assert ledger == [("r1", "try", "failed", {"rows": 3.0})]


def test_a_python_worker_that_fails_is_told_by_its_own_last_line(ended, tmp_path):
    code, error, ledger = ended(in_a_worker(KeyError, "lost"))
    assert (code, error.count("\n")) == (70, 1)
    assert "a Python worker failed: KeyError: 'lost'" in error
    assert "in fail" in (tmp_path / "trackrec.log").read_text()
    assert [status for _, _, status, _ in ledger] == ["failed"]


def test_bad_input_that_a_python_worker_finds_ends_with_2(ended):
    code, error, _ = ended(in_a_worker(BadInputError, "no weights.", "copy them."))
    assert code == 2
    assert "BadInputError: no weights. copy them." in error


def test_a_ledger_that_cannot_be_written_does_not_hide_the_first_error(ended, tmp_path):
    (tmp_path / "file").write_text("not a folder")
    code, error, _ = ended(divides_by_zero, warehouse=f"{tmp_path}/file/warehouse")
    assert code == 70
    assert error.count("\n") == 1
    assert "ZeroDivisionError" in error
    assert "file/warehouse" in (tmp_path / "trackrec.log").read_text()


def test_a_job_whose_ledger_cannot_be_written_is_not_done(ended, tmp_path):
    (tmp_path / "file").write_text("not a folder")
    code, error, _ = ended(counted, warehouse=f"{tmp_path}/file/warehouse")
    assert (code, error.count("\n")) == (2, 1)


def test_a_log_that_cannot_be_written_puts_the_traceback_on_stderr(ended, tmp_path):
    def spoil(run, tables):
        (tmp_path / "trackrec.log").unlink(missing_ok=True)
        (tmp_path / "trackrec.log").mkdir()
        raise ZeroDivisionError

    code, error, ledger = ended(spoil)
    assert code == 70
    assert "in spoil" in error
    assert "cannot be written (Is a directory)" in error.splitlines()[-1]
    assert [status for _, _, status, _ in ledger] == ["failed"]


def test_an_interrupted_job_ends_with_130_and_one_line_that_says_how_to_go_on(ended):
    def interrupted(run, tables):
        raise KeyboardInterrupt

    code, error, ledger = ended(counted, interrupted)
    assert (code, ledger) == (130, [])
    assert error == "error: interrupted. What was committed stays; run it again, and it goes on.\n"
