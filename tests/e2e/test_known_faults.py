"""Faults that every long run meets, made for real: one line that says what to do, never a bug of trackrec."""

import shutil
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime

import pytest

from tests.conftest import ROOT
from tests.disks import a_disk, fill, read_only
from tests.e2e.logs import write_conf
from trackrec.runtime.errors import TrackrecError
from trackrec.runtime.ledger import recorded_run
from trackrec.stages.opening import open_warehouse
from trackrec.tables.lake import Lake
from trackrec.tables.schemas import SAMPLES
from trackrec.tables.warehouse import Warehouse

pytestmark = pytest.mark.e2e

NOON = datetime(2024, 1, 1, 12, tzinfo=UTC)


def sample(user):
    row = (user, "i1", NOON, NOON, 1, "alignment", None, True, None, "r1", NOON)
    return dict(zip(SAMPLES.column_names, row, strict=True))


def writes(*users):
    def stage(run, tables):
        tables.insert_rows("samples", [sample(user) for user in users])

    return stage


def reads(run, tables):
    tables.read("samples").collect()


@pytest.fixture
def ended(spark, tmp_path, capfd):
    """Run a stage as a job: (exit code, its one line on stderr)."""

    def run(stage, **changes):
        with recorded_run("try", None, ["--conf", str(write_conf(tmp_path, **changes))]) as job:
            stage(*open_warehouse(job))
        error = capfd.readouterr().err
        assert error.count("\n") == min(job.exit_code, 1), error
        assert "bug" not in error
        return job.exit_code, error

    return run


@pytest.fixture
def stored(spark, tmp_path):
    """A warehouse with three versions of ``samples``, of two rows; returns the table's folder.

    A copy of what was written: Spark remembers the log of a table that it wrote.
    """
    tables = Warehouse(spark, str(tmp_path / "written"))
    for user in ("u1", "u2"):
        tables.insert_rows("samples", [sample(user)])
    shutil.copytree(tmp_path / "written", tmp_path / "warehouse", ignore=shutil.ignore_patterns("*.crc"))
    return tmp_path / "warehouse" / "samples"


def test_a_full_disk_is_told_with_what_to_do_and_the_next_run_goes_on(ended, tmp_path):
    with a_disk(tmp_path / "warehouse", "400k") as disk:
        assert ended(writes("u1"))[0] == 0
        fill(disk)
        code, error = ended(writes("u2"))
        assert code == 70
        assert error.startswith("error: the disk is full where ")
        assert "Make room" in error
        (disk / "filling").unlink()
        assert ended(writes("u2"))[0] == 0


def test_a_full_disk_is_told_likewise_where_the_log_is_on_it_too(ended, tmp_path):
    with a_disk(tmp_path / "warehouse", "400k") as disk:
        assert ended(writes("u1"))[0] == 0
        (disk / "log").mkdir()
        fill(disk)
        code, error = ended(writes("u2"), log=str(disk / "log" / "trackrec.log"))
        assert (code, error.count("\n")) == (70, 1)


def test_a_read_only_warehouse_is_read_and_a_write_is_refused_with_what_to_do(ended, stored, spark, tmp_path):
    with read_only(tmp_path / "warehouse"):
        code, error = ended(writes("u3"))
        assert code == 2
        assert f"{tmp_path}/warehouse/" in error
        assert "read-only" in error
        assert "set another folder" in error
        assert Warehouse(spark, str(tmp_path / "warehouse")).read("samples").count() == 2


def test_a_warehouse_under_a_file_is_refused_by_name(ended, tmp_path):
    (tmp_path / "file").write_text("")
    code, error = ended(writes("u1"), warehouse=f"{tmp_path}/file/warehouse")
    assert code == 2
    assert f"{tmp_path}/file/warehouse/" in error
    assert "a file stands where a folder belongs" in error


def cut(log):
    newest = log / "00000000000000000002.json"
    newest.write_bytes(newest.read_bytes()[:500])


def lost(log):
    (log / "00000000000000000001.json").unlink()


def first_lost(log):
    (log / "00000000000000000000.json").unlink()


@pytest.mark.parametrize("damage", [cut, lost, first_lost])
def test_a_damaged_log_is_told_with_its_table_by_spark_and_without(ended, stored, damage):
    damage(stored / "_delta_log")
    code, error = ended(reads)
    assert code == 2
    assert f"the Delta log of table samples ({stored.parent}) is damaged" in error
    assert "from a backup" in error
    with pytest.raises(TrackrecError, match=r"the Delta log of table samples .* is damaged"):
        Lake(str(stored.parent)).read_columns("samples", ["user_id"])


def test_a_damaged_file_of_rows_is_told_by_its_name(ended, stored):
    for file in stored.glob("*.parquet"):
        file.write_bytes(b"")
    code, error = ended(reads)
    assert code == 2
    assert f"{stored}/part-" in error
    assert "is damaged or gone" in error


def test_a_writer_at_the_same_moment_is_told_and_not_as_bad_input(ended, tmp_path):
    def beside_another(run, tables):
        writes("u0")(run, tables)
        others = [Warehouse(tables.spark, tables.root) for _ in range(4)]
        faults = []

        def write(table, user):
            try:
                for _ in range(3):
                    table.replace_all("samples", [sample(user)])
            except Exception as error:
                faults.append(error)

        until = time.monotonic() + 120
        while not faults and time.monotonic() < until:
            threads = [threading.Thread(target=write, args=(o, f"u{n}")) for n, o in enumerate(others)]
            [thread.start() for thread in threads]
            [thread.join() for thread in threads]
        raise faults[0]

    code, error = ended(beside_another)
    assert code == 70
    assert f"another writer changed {tmp_path}/warehouse/samples at the same moment. Run it again" in error


def test_a_catalog_that_takes_shorter_names_says_how_to_write_them(ended):
    def reads_a_longer_name(run, tables):
        tables.spark.table("a.b.c").collect()

    code, error = ended(reads_a_longer_name)
    assert code == 2
    assert "catalog.schema.table, and got `a`.`b`.`c`. Is its first part no catalog" in error


KILLED = """
import os, signal, sys
from trackrec.runtime.ledger import recorded_run
from trackrec.stages.opening import open_warehouse
with recorded_run("try", None, sys.argv[1:]) as job:
    run, tables = open_warehouse(job)
    jvm = tables.spark._jvm.java.lang.ProcessHandle.current().pid()
    tables.hold()
    os.kill(jvm, signal.SIGKILL)
    tables.spark.range(3).collect()
sys.exit(job.exit_code)
"""


def test_a_jvm_that_is_killed_is_one_line(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", KILLED, "--conf", str(write_conf(tmp_path))],
        cwd=ROOT, capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert done.returncode == 70, done.stderr
    assert done.stderr.startswith("error: Spark's JVM is gone: killed by the system for want of memory, or stopped")
    assert done.stderr.count("\n") == 1, done.stderr
