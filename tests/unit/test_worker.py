"""A worker that holds a model has its device alone, and does not outlive Spark."""

import multiprocessing
import os
import signal
import stat
import subprocess
import sys
import time

import pytest

from trackrec.runtime.errors import TrackrecError
from udfs.worker import lock_device

WORKER = (
    "from udfs.worker import _die_with_spark as end; end(); print('ready', flush=True); import time; time.sleep(60)"
)
# The same chain as Spark's: JVM -> pyspark daemon -> worker. Each prints its child's id, then lives on.
DAEMON = f"import subprocess, sys; p = subprocess.Popen([sys.executable, '-c', {WORKER!r}]); print(p.pid); p.wait()"
JVM = f"import subprocess, sys; p = subprocess.Popen([sys.executable, '-u', '-c', {DAEMON!r}]); print(p.pid); p.wait()"


def _alive(process: int) -> bool:
    try:
        with open(f"/proc/{process}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
@pytest.mark.parametrize("victim", ["jvm", "daemon"])
def test_a_worker_ends_when_spark_is_killed(victim):
    jvm = subprocess.Popen([sys.executable, "-u", "-c", JVM], stdout=subprocess.PIPE, text=True)
    assert jvm.stdout is not None
    daemon, worker = int(jvm.stdout.readline()), int(jvm.stdout.readline())
    try:
        assert jvm.stdout.readline() == "ready\n"
        assert _alive(worker)
        os.kill({"jvm": jvm.pid, "daemon": daemon}[victim], signal.SIGKILL)
        until = time.monotonic() + 15
        while _alive(worker) and time.monotonic() < until:
            time.sleep(0.1)
        assert not _alive(worker)
    finally:
        for process in (worker, daemon, jvm.pid):
            if _alive(process):
                os.kill(process, signal.SIGKILL)
        jvm.wait()


def _hold(device, taken, release):
    lock = lock_device(device)
    taken.set()
    release.wait(30)
    lock.release()


def test_a_device_is_held_by_one_process_until_it_ends(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    fork = multiprocessing.get_context("fork")
    taken, release = fork.Event(), fork.Event()
    holder = fork.Process(target=_hold, args=("gpu7", taken, release))
    holder.start()
    assert taken.wait(30)
    with pytest.raises(TrackrecError, match=f"held by process {holder.pid}"):
        lock_device("gpu7", seconds=0.3)
    lock_device("gpu8", seconds=0.3).release()
    release.set()
    lock_device("gpu7", seconds=10).release()
    holder.join()


def test_a_device_is_free_when_its_holder_was_killed(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    fork = multiprocessing.get_context("fork")
    taken = fork.Event()
    holder = fork.Process(target=_hold, args=("gpu7", taken, fork.Event()))
    holder.start()
    assert taken.wait(30)
    holder.kill()
    lock_device("gpu7", seconds=10).release()
    holder.join()


def test_locks_lie_in_a_folder_of_the_users_own(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    lock_device("gpu7").release()
    (folder,) = tmp_path.iterdir()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_link_in_the_place_of_the_lock_folder_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / f"trackrec-locks-{os.getuid()}").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(TrackrecError, match="not this user's own folder"):
        lock_device("gpu7")


def test_a_link_in_the_place_of_a_lock_is_not_followed(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    lock_device("gpu7").release()
    (folder,) = tmp_path.iterdir()
    (tmp_path / "precious").write_text("mine")
    (folder / "gpu7.lock").unlink(missing_ok=True)
    (folder / "gpu7.lock").symlink_to(tmp_path / "precious")
    with pytest.raises(OSError, match="symbolic links"):
        lock_device("gpu7")
    assert (tmp_path / "precious").read_text() == "mine"
