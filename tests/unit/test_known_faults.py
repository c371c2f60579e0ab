"""Known faults by the words of Python; tests/e2e/test_known_faults.py makes those of Spark."""

import json
import socket
from datetime import UTC, datetime

import pytest

from tests.disks import a_disk, fill, read_only
from trackrec.runtime.errors import BadInputError, FailedError
from trackrec.runtime.failure import print_error
from trackrec.runtime.known_faults import foreseen
from trackrec.tables.lake import Lake


def raised(action, kind=Exception):
    with pytest.raises(kind) as caught:
        action()
    return caught.value


def write_to(path):
    with open(path, "w") as file:
        file.write("x" * 100_000)


def test_a_full_disk_is_told_with_exit_code_70_and_its_traceback_kept(tmp_path, capsys):
    error = raised(lambda: write_to("/dev/full"))
    assert print_error(error, str(tmp_path / "log")) == 70
    said = capsys.readouterr().err
    assert said.startswith("error: the disk is full where this run's data is written. Make room, or set another folder")
    assert said.count("\n") == 1
    assert "in write_to" in (tmp_path / "log").read_text()


def test_a_full_disk_that_holds_the_log_too_is_still_one_line(capsys):
    assert print_error(raised(lambda: write_to("/dev/full")), "/dev/full") == 70
    assert capsys.readouterr().err.count("\n") == 1


def test_a_fault_that_is_the_cause_of_another_error_is_told():
    def save():
        try:
            write_to("/dev/full")
        except OSError as error:
            raise RuntimeError("cannot save the step") from error

    assert "the disk is full" in foreseen(raised(save)).what


def test_a_read_only_folder_is_named(tmp_path):
    with read_only(tmp_path):
        told = foreseen(raised(lambda: write_to(tmp_path / "file")))
    assert isinstance(told, BadInputError)
    assert told.what.startswith(f"{tmp_path}/file cannot be used: it is read-only")


def test_a_file_in_the_place_of_a_folder_is_named(tmp_path):
    (tmp_path / "cache").write_text("")
    told = foreseen(raised(lambda: (tmp_path / "cache" / "models").mkdir(parents=True)))
    assert told.what.startswith(f"{tmp_path}/cache/models cannot be used")


def a_run(run_id):
    now = datetime(2024, 1, 1, tzinfo=UTC)
    counts = {"rows": 1.0}
    return {"run_id": run_id, "job": "j", "status": "done", "counts": counts, "config_hash": "h",
            "started_time": now, "created_time": now}  # fmt: skip


def test_a_read_only_table_is_refused_by_name_and_without_a_panic_where_no_spark_runs(tmp_path, capfd):
    lake = Lake(str(tmp_path))
    lake.insert_rows("runs", [a_run("r1")])
    with read_only(tmp_path):
        told = raised(lambda: lake.insert_rows("runs", [a_run("r2")]), BadInputError)
        assert lake.read_columns("runs", ["run_id"]).num_rows == 1
    assert told.what.startswith(f"table runs ({tmp_path}/runs) cannot be used: it is read-only")
    assert capfd.readouterr().err == ""


def test_a_full_disk_is_told_with_the_table_where_no_spark_runs(tmp_path):
    with a_disk(tmp_path / "warehouse", "100k") as disk:
        lake = Lake(str(disk))
        lake.insert_rows("runs", [a_run("r1")])
        fill(disk)
        told = raised(lambda: lake.insert_rows("runs", [a_run("r2")]), FailedError)
    assert told.what == f"the disk is full where table runs ({disk}/runs) is written."


def test_a_refused_connection_of_another_service_is_no_jvm_that_is_gone():
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    assert foreseen(raised(lambda: socket.create_connection(("127.0.0.1", port), 1), ConnectionRefusedError)) is None


@pytest.mark.parametrize(
    "error", [KeyError("user_id"), ValueError("No space left on device"), json.JSONDecodeError("x", "", 0)]
)
def test_an_error_of_our_own_stays_unforeseen(error):
    assert foreseen(error) is None


def test_an_error_that_was_told_already_is_left_alone():
    assert foreseen(BadInputError("[Errno 28] No space left on device", "Mend it.")) is None


def test_a_worker_of_a_cluster_without_heap_is_told_which_setting_to_raise():
    error = RuntimeError(
        "Job aborted due to stage failure: Task 3 in stage 5.0 failed 4 times, most recent failure: Lost task 3.3 in "
        "stage 5.0 (TID 98) (10.0.0.7 executor 2): java.lang.OutOfMemoryError: Java heap space\n\tat java.base/java"
    )
    assert "Raise spark.driver.memory" in foreseen(error).remedy
