"""A training in several processes, started by Spark's TorchDistributor: on this machine, or one a task of a cluster.

Each process holds the model and takes its part of every step (``processes``). gloo between CPUs, NCCL between GPUs.
With a local Spark master they run beside the driver, else on executors in one barrier stage; there each needs trackrec
installed, the weights, and the folder ``models`` on storage that all of them see.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, TextIO

import trackrec
from trackrec.models.threads import use_threads
from trackrec.runtime.errors import TrackrecError
from trackrec.runtime.events import Event, Notice, Stage, Step
from trackrec.runtime.failure import log_file
from trackrec.runtime.settings import Settings

Training = Callable[[Stage], Path]  # trains, or finds what was trained, and returns the adapter's folder; picklable

_SHARED_SECONDS = 0.5  # between two looks at what the first process reported
# What gloo and NCCL say in a process that waits for one that has ended.
_LOST_PEER = re.compile(r"Connection (closed|reset) by peer|Broken pipe|remote process exited")
_WAIT = timedelta(hours=2)  # of a process for the others: one may have much longer groups than they


@dataclass(frozen=True)
class Launch:
    """How many processes train, with how many CPU threads each, and what takes what they print.

    ``local``: on this machine; else on executors, ``on_gpus`` of theirs.
    """

    processes: int
    threads: int
    log: str
    local: bool
    on_gpus: bool


def trained(training: Training, folder: Path, groups: int, threads: int, settings: Settings, stage: Stage) -> Path:
    """The adapter that ``training`` makes in ``folder``, by ``settings.train.processes`` processes.

    ``groups``: of a step; more processes than that have nothing to do and are not started. Raises TrackrecError with
    what went wrong in a process.
    """
    processes = min(settings.train.processes, groups)
    if (folder / "adapter").is_dir() or settings.train.processes == 1:
        return training(stage)
    if processes < settings.train.processes:
        asked = settings.train.processes
        stage.notice(f"groups a step: {groups}, so {processes} of the {asked} processes of train.processes train.")
    if processes > 1:
        _train_together(training, folder, processes, threads, settings, stage)
    return training(stage)  # of several processes it finds what they trained


def _train_together(
    training: Training, folder: Path, processes: int, threads: int, settings: Settings, stage: Stage
) -> None:
    """Leave the adapter in ``folder``."""
    from trackrec.runtime.session import is_local, spark_session

    spark = spark_session(settings, stage.name)
    local = is_local(spark)
    on_gpus = not local and float(spark.conf.get("spark.task.resource.gpu.amount", "0") or 0) > 0
    if local:
        _check_own_gpus(processes)
    threads = max(1, threads // processes) if local else threads
    launch = Launch(processes, threads, log_file(settings.log), local, on_gpus)
    shared = folder / "processes"
    shutil.rmtree(shared, ignore_errors=True)
    shared.mkdir(parents=True)
    try:
        with _reported(shared / "events.jsonl", stage), _environment(launch), _output_to(launch.log):
            _run(training, shared, stage.name, launch)
    finally:
        shutil.rmtree(shared, ignore_errors=True)
    if not (folder / "adapter").is_dir():
        raise TrackrecError(
            f"the processes trained an adapter in {folder}, which the driver does not see.",
            "Set models to a folder that the driver and all executors share.",
        )


def _run(training: Training, shared: Path, name: str, launch: Launch) -> None:
    from pyspark.ml.torch.distributor import TorchDistributor

    distributor = TorchDistributor(launch.processes, local_mode=launch.local, use_gpu=launch.on_gpus)
    try:
        distributor.run(train_as_process, training, str(shared), name, launch.threads)
    except Exception as error:
        raise _failure(shared, launch, error) from error


def train_as_process(training: Training, shared: str, name: str, threads: int) -> None:
    """What each process runs: its place among the others, then ``training``; its error goes into ``shared``."""
    rank, count = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    try:
        use_threads(threads)
        import torch.distributed as dist

        dist.init_process_group(_backend(rank, count), timeout=_WAIT)
        training(Stage(name, [_Reporter(Path(shared) / "events.jsonl")] if rank == 0 else []))
        dist.destroy_process_group()
    except Exception as error:
        if _lost_peer(error):  # the other has written its own error, or was ended from outside
            raise
        what, remedy = (error.what, error.remedy) if isinstance(error, TrackrecError) else (_line(error), "")
        # The first one's is the cause.
        with suppress(FileExistsError), (Path(shared) / "failure.json").open("x") as file:
            json.dump({"rank": rank, "what": what, "remedy": remedy}, file)
        raise


def _backend(rank: int, count: int) -> str:
    """gloo, or NCCL where this process has a GPU of its own, which it takes."""
    import torch

    if not torch.cuda.is_available():
        return "gloo"
    own, present = int(os.environ["LOCAL_RANK"]), torch.cuda.device_count()
    if own >= present:
        raise TrackrecError(
            f"process {rank + 1} of {count} has no GPU of its own: its machine has {present}, and two processes cannot "
            "share one under NCCL.",
            "Lower train.processes to the number of GPUs.",
        )
    torch.cuda.set_device(own)
    return "nccl"


def _check_own_gpus(processes: int) -> None:
    """Before any process starts: with GPUs each needs its own."""
    import torch

    present = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if 0 < present < processes:
        raise TrackrecError(
            f"train.processes is {processes} and this machine has {present} GPUs, which two processes cannot share.",
            "Lower it to the number of GPUs.",
        )


def _failure(shared: Path, launch: Launch, error: Exception) -> Exception:
    """The error of the process that failed first, in one line."""
    from pyspark.errors import PythonException

    path = shared / "failure.json"
    if not path.is_file() and not isinstance(error, RuntimeError | PythonException):
        return error  # Spark's own, e.g. fewer slots than processes
    if not path.is_file():
        return TrackrecError(
            f"one of {launch.processes} training processes was ended from outside or could not start.",
            f"Each holds the model: was there memory for all? Else lower train.processes; see {launch.log}.",
        )
    failure = json.loads(path.read_text())
    what = f"process {failure['rank'] + 1} of {launch.processes}: {failure['what']}"
    return TrackrecError(what, failure["remedy"]) if failure["remedy"] else RuntimeError(what)


def _lost_peer(error: Exception) -> bool:
    """Whether this process ends only because another one is gone."""
    return isinstance(error, RuntimeError) and _LOST_PEER.search(str(error)) is not None


def _line(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())


class _Reporter:
    """Writes down the steps and notices of the first process, a line each."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __call__(self, event: Event) -> None:
        if isinstance(event, Step):
            row: dict[str, Any] = {"step": event.step, "steps": event.steps, "figures": dict(event.figures)}
        elif isinstance(event, Notice):
            row = {"notice": event.text}
        else:
            return
        with self._path.open("a") as file:
            file.write(json.dumps(row) + "\n")


@contextmanager
def _reported(path: Path, stage: Stage) -> Iterator[None]:
    """Hand what a ``_Reporter`` writes to ``path`` on to ``stage`` while the block runs."""
    ended = threading.Event()

    def follow() -> None:
        read = 0
        while True:
            last = ended.wait(_SHARED_SECONDS)
            lines = path.read_text().split("\n")[:-1] if path.is_file() else []
            for line in lines[read:]:
                _pass_on(json.loads(line), stage)
            read = len(lines)
            if last:
                return

    thread = threading.Thread(target=follow, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _pass_on(row: dict[str, Any], stage: Stage) -> None:
    if "notice" in row:
        stage.notice(row["notice"])
    else:
        stage.step(row["step"], row["steps"], row["figures"])


@contextmanager
def _environment(launch: Launch) -> Iterator[None]:
    """What processes on this machine inherit: where trackrec is, and their threads."""
    before = {name: os.environ.get(name) for name in ("PYTHONPATH", "OMP_NUM_THREADS")}
    root = str(Path(trackrec.__file__).resolve().parents[1])
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [root, before["PYTHONPATH"]]))
    os.environ["OMP_NUM_THREADS"] = str(launch.threads)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextmanager
def _output_to(log: str) -> Iterator[None]:
    """What the distributor prints, which is what the processes print, goes to ``log``; other threads print as ever."""
    Path(log).parent.mkdir(parents=True, exist_ok=True)
    with Path(log).open("a", encoding="utf-8", errors="backslashreplace") as file:
        output: Any = _OutputOfThread(file, sys.stdout)
        with redirect_stdout(output):
            yield


class _OutputOfThread:
    """A stdout that takes what the thread which made it writes to ``file``, and all else to ``others``."""

    def __init__(self, file: TextIO, others: TextIO) -> None:
        self._file, self._others = file, others
        self._owner = threading.get_ident()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file if threading.get_ident() == self._owner else self._others, name)
