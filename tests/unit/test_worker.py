"""A worker that holds a model does not outlive Spark."""

import os
import signal
import subprocess
import sys
import time

import pytest

WORKER = (
    "from udfs.worker import _die_with_spark as tend; tend(); print('ready', flush=True); import time; time.sleep(60)"
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
