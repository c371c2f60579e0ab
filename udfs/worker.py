"""A Python worker of Spark that holds a model: its device, its lock on it, and its end."""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import stat
import sys
import tempfile
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from filelock import FileLock, Timeout

from trackrec.engines.build import build_engine
from trackrec.engines.interface import Engine
from trackrec.engines.spec import COUNTED, EngineSpec
from trackrec.models.resolve import ensure_local
from trackrec.runtime.clock import utc_now
from trackrec.runtime.errors import LostWorkerError, TrackrecError
from trackrec.runtime.progress_channel import SILENT, ProgressSender

_LOCK_SECONDS = 300.0  # an idle worker that still holds the device is ended by Spark after 60 s
_running: tuple[EngineSpec, WorkerEngine] | None = None
_device_lock: FileLock | None = None
_prepared = False


class WorkerEngine(NamedTuple):
    """A worker process's engine and ``id``, its start: host:process@UTC. Rows carry it, so that starts are counted."""

    engine: Engine
    id: str


def engine_of(spec: EngineSpec, progress: ProgressSender = SILENT) -> WorkerEngine:
    """This process's engine, built at the first call and kept; another spec replaces it."""
    global _running, _device_lock
    device = prepare_worker()
    if _running is not None and _running[0] == spec:
        return _running[1]
    if _running is not None:
        _running[1].engine.close()
        _running = None
    progress.engine_starting()
    if _device_lock is None and spec.engine not in ("scripted", COUNTED):
        _device_lock = lock_device(device)
    start = f"{socket.gethostname()}:{os.getpid()}@{utc_now():%Y-%m-%dT%H:%M:%S.%fZ}"
    local = spec if spec.engine == COUNTED else replace(spec, model=ensure_local(spec.model))
    _running = (spec, WorkerEngine(build_engine(local), start))
    progress.engine_started()
    return _running[1]


def refuse_retry(retries: int = 0) -> None:
    """Raise LostWorkerError where Spark tries this task again, and did so more than ``retries`` times before.

    What ended its worker would end this one too.
    """
    from pyspark import TaskContext

    context = TaskContext.get()
    if context is not None and context.attemptNumber() > retries:
        raise LostWorkerError("this task lost its Python worker.", "The driver looks for the request that ends it.")


def lock_device(device: str, seconds: float = _LOCK_SECONDS) -> FileLock:
    """The exclusive right to ``device`` on this machine, until the lock is released or this process ends.

    A second engine on one GPU runs out of memory, on one CPU it halves both. Waits up to ``seconds`` for the holder;
    raises TrackrecError naming it.
    """
    path = _lock_folder() / f"{device}.lock"
    lock = FileLock(path, timeout=seconds, thread_local=False)
    try:
        lock.acquire(poll_interval=0.2)
    except Timeout:
        holder = path.read_text().strip() or "unknown"
        raise TrackrecError(
            f"device {device} has been held by process {holder} for {seconds:.0f} s and more.",
            "Let that run end, or set generator.engines or validator.engines to the number of devices.",
        ) from None
    path.write_text(str(os.getpid()))
    return lock


def _lock_folder() -> Path:
    """A folder that nobody but this user can write to, the same for all of their processes on this machine."""
    folder = Path(tempfile.gettempdir()) / f"trackrec-locks-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    status = folder.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid():
        raise TrackrecError(f"{folder} is not this user's own folder.", "Remove it, or set TMPDIR to another folder.")
    folder.chmod(0o700)
    return folder


def prepare_worker() -> str:
    """Call before torch is imported: shows this worker its own GPU only, and makes it die with Spark.

    Returns the device's name for its lock: ``gpu<address>`` where Spark assigned one, else ``local``.
    """
    global _prepared
    from pyspark import TaskContext

    context = TaskContext.get()
    if context is None:  # not in a Spark worker: the process has a life of its own
        return "local"
    gpu = context.resources().get("gpu")
    if gpu is not None:  # Spark assigns addresses and leaves CUDA_VISIBLE_DEVICES unset
        os.environ["CUDA_VISIBLE_DEVICES"] = ",".join(gpu.addresses)
    if not _prepared:
        _die_with_spark()
        _prepared = True
    return f"gpu{'-'.join(gpu.addresses)}" if gpu is not None else "local"


def _die_with_spark() -> None:
    """End this process when its parent or the JVM above that is gone.

    Measured: after a cluster was killed, the pyspark daemon and a worker with a 3.4 GB model lived on. The daemon's
    death kills the worker at once (PR_SET_PDEATHSIG); the JVM's is seen by the daemon getting another parent.
    """
    if not sys.platform.startswith("linux"):
        return
    ctypes.CDLL(None).prctl(1, signal.SIGKILL, 0, 0, 0)  # 1 = PR_SET_PDEATHSIG
    daemon = os.getppid()
    threading.Thread(target=_watch, args=(daemon, _parent_of(daemon)), daemon=True).start()


def _watch(daemon: int, spark: int) -> None:
    while os.getppid() == daemon and _parent_of(daemon) == spark:
        time.sleep(2)
    os._exit(1)


def _parent_of(process: int) -> int:
    """The parent's id, or 0 when ``process`` is gone. The name in /proc/<pid>/stat may hold spaces, not a last ')'."""
    try:
        return int(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[1])
    except (OSError, ValueError, IndexError):
        return 0
