"""A Python worker of Spark that holds a model: its device, its lease on it, and its end."""

from __future__ import annotations

import ctypes
import fcntl
import os
import signal
import socket
import sys
import tempfile
import threading
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, NamedTuple

from trackrec.engines.build import build_engine
from trackrec.engines.interface import Engine
from trackrec.engines.spec import EngineSpec
from trackrec.models.resolve import ensure_local
from trackrec.runtime.errors import TrackrecError

_LEASE_SECONDS = 300.0  # an idle worker that still holds the lease is ended by Spark after 60 s
_hosted: tuple[EngineSpec, Hosted] | None = None
_lease: IO[str] | None = None
_tended = False


class Hosted(NamedTuple):
    """An engine and ``id``, its start: host:process@UTC. Rows carry the id, so that starts can be counted."""

    engine: Engine
    id: str


def engine_of(spec: EngineSpec) -> Hosted:
    """This process's engine, built at the first call and kept; another spec replaces it."""
    global _hosted, _lease
    device = tend_worker()
    if _hosted is not None and _hosted[0] == spec:
        return _hosted[1]
    if _hosted is not None:
        _hosted[1].engine.close()
        _hosted = None
    if _lease is None and spec.engine != "scripted":
        _lease = take_lease(device)
    started = f"{socket.gethostname()}:{os.getpid()}@{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%fZ}"
    _hosted = (spec, Hosted(build_engine(replace(spec, model=ensure_local(spec.model))), started))
    return _hosted[1]


def take_lease(device: str, seconds: float = _LEASE_SECONDS) -> IO[str]:
    """The exclusive right to ``device`` on this machine, until the returned file is closed or this process ends.

    A second engine on one GPU runs out of memory, on one CPU it halves both. Waits up to ``seconds`` for the holder;
    raises TrackrecError naming it.
    """
    path = Path(tempfile.gettempdir()) / f"trackrec-{os.getuid()}-{device}.lock"
    file = path.open("a+")
    until = time.monotonic() + seconds
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except BlockingIOError:
            if time.monotonic() > until:
                file.seek(0)
                holder = file.read().strip() or "unknown"
                file.close()
                raise TrackrecError(
                    f"device {device} has been held by process {holder} for {seconds:.0f} s and more.",
                    "Let that run end, or set generator.engines to the number of devices.",
                ) from None
            time.sleep(0.2)
    file.truncate(0)
    file.write(str(os.getpid()))
    file.flush()
    return file


def tend_worker() -> str:
    """Call before torch is imported: shows this worker its own GPU only, and makes it die with Spark.

    Returns the device's name for the lease: ``gpu<address>`` where Spark assigned one, else ``local``.
    """
    global _tended
    from pyspark import TaskContext

    context = TaskContext.get()
    if context is None:  # not in a Spark worker: the process is not ours to end
        return "local"
    gpu = context.resources().get("gpu")
    if gpu is not None:  # Spark assigns addresses and leaves CUDA_VISIBLE_DEVICES unset
        os.environ["CUDA_VISIBLE_DEVICES"] = ",".join(gpu.addresses)
    if not _tended:
        _die_with_spark()
        _tended = True
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
