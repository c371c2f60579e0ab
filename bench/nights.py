"""Nights on a made log, each a process of its own that may be killed: log, settings, start, and what runs in it."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml

from trackrec.engines.call_log import VARIABLE as CALL_LOG
from trackrec.runtime.settings_files import load_settings

ITEMS = 9
VICTIMS = ("driver", "worker", "jvm", "daemon")
_START = datetime(2024, 1, 1, tzinfo=UTC)
_HISTORY_DAYS = 9  # of events before the first night
_MARK = "TRACKREC_CHAOS_RUN"  # in the environment of every process of a run, whoever its parent is by now
_CONF = Path(__file__).parents[1] / "conf"
_GENRES = ("Drama", "Comedy", "War", "Crime")

# On frames of a few rows Spark mostly compiles: with these a night on a tiny log takes two thirds of the time.
TINY = {
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.adaptive.enabled": "false",
    "spark.sql.shuffle.partitions": "2",
    # Files of a few rows have nothing to skip: looking for it took 12 % of the JVM's time after the loop's test.
    "spark.databricks.delta.stats.skipping": "false",
}


def night_of(number: int) -> datetime:
    """The as_of of a night, 0 the first: each user has a new event before it."""
    return _START + timedelta(days=_HISTORY_DAYS + number)


def write_log(
    folder: Path, users: int, nights: int, titles: Mapping[str, str] | None = None, title: str = "Title SCRIPT:slow"
) -> None:
    """``log.parquet`` and ``items.parquet``: each user rates an item a day with five stars or two.

    ``title`` begins all titles but ``titles`` by user: these users rate one item of their own, so that its title is in
    their prompts and no other's.
    """
    import pandas as pd  # here: every test process reads TINY

    titles, dice = titles or {}, random.Random(7)
    log = [
        (
            f"u{u}",
            f"u{u}" if f"u{u}" in titles else f"i{dice.randrange(ITEMS)}",
            _START + timedelta(days=n, minutes=u % 1440),
            dice.choice((2.0, 5.0)),
        )
        for u in range(users)
        for n in range(_HISTORY_DAYS + nights)
    ]
    items = [(f"i{n}", f"{title} {n}", list(_GENRES[: 1 + n % 4])) for n in range(ITEMS)]
    items += [(item, title, ["War"]) for item, title in titles.items()]
    frame = pd.DataFrame(log, columns=["user_id", "item_id", "event_time", "rating"])
    frame.to_parquet(folder / "log.parquet", index=False, coerce_timestamps="us")  # Spark reads no nanoseconds
    pd.DataFrame(items, columns=["item_id", "title", "attributes"]).to_parquet(folder / "items.parquet", index=False)


def write_settings(folder: Path, log: Path, generator: Mapping[str, Any], **changes: object) -> Path:
    """``conf.yaml`` of a warehouse in ``folder`` that reads the files in ``log``; Spark set for tiny frames."""
    shutil.copytree(_CONF / "local", folder / "spark")
    with (folder / "spark" / "spark-defaults.conf").open("a") as defaults:
        defaults.writelines(f"\n{key} {value}" for key, value in TINY.items())
    tree = yaml.safe_load((_CONF / "base.yaml").read_text()) | {
        "warehouse": str(folder / "warehouse"),
        "spark_conf": str(folder / "spark"),
        "log": str(folder / "trackrec.log"),
        "source": {name: {"format": "parquet", "path": str(log / f"{file}.parquet")}
                   for name, file in (("interactions", "log"), ("items", "items"))},
        "histories": {"policy": "nightly", "as_of": night_of(0), "max_lag_days": 10_000},
    }  # fmt: skip
    tree["generator"] |= {"dtype": "float32", "deterministic": True, **generator}
    path = folder / "conf.yaml"
    path.write_text(yaml.safe_dump(tree | changes))
    return path


def ledger_counts(conf: Path, run_id: str) -> dict[str, Any]:
    """What the ledger of the warehouse of ``conf`` counts of a run."""
    from trackrec.tables.lake import Lake  # here: every test process reads TINY

    runs = Lake(load_settings(conf).warehouse).read_columns("runs", ["run_id", "counts"]).to_pylist()
    (counts,) = [dict(row["counts"]) for row in runs if row["run_id"] == run_id]
    return counts


@dataclass
class Nights:
    """Runs of ``jobs.nightly`` under the settings ``folder/conf.yaml``, and every process that they left."""

    folder: Path
    mark: str = field(default_factory=lambda: uuid.uuid4().hex)

    @property
    def calls(self) -> Path:
        """Where the engines' calls are logged."""
        return self.folder / "calls.jsonl"

    @property
    def printed(self) -> str:
        """What all runs printed."""
        return (self.folder / "out.txt").read_text(errors="replace")

    def start(self, number: int) -> Run:
        """Begin night ``number``; what it prints goes to ``folder/out.txt``."""
        for name in ("tmp", "spark-local"):
            (self.folder / name).mkdir(exist_ok=True)
        environment = {key: value for key, value in os.environ.items() if key not in ("SPARK_CONF_DIR", "TRACKREC_LOG")}
        environment |= {
            _MARK: self.mark,
            CALL_LOG: str(self.calls),
            "TMPDIR": str(self.folder / "tmp"),
            "SPARK_LOCAL_DIRS": str(self.folder / "spark-local"),
            "SPARK_SUBMIT_OPTS": "-XX:TieredStopAtLevel=1",  # of the JVM's compilers the quick one
        }
        run_id = uuid.uuid4().hex
        flags = ["--conf", str(self.folder / "conf.yaml"), "--run-id", run_id]
        flags += ["--set", f"histories.as_of={night_of(number):%Y-%m-%d}"]
        with (self.folder / "out.txt").open("ab") as out:
            driver = subprocess.Popen(
                [sys.executable, "-m", "jobs.nightly", *flags], env=environment, stdout=out, stderr=out
            )
        return Run(self, driver, run_id)

    def processes(self) -> dict[str, list[int]]:
        """The living processes of all runs by what they are: driver, jvm, daemon, worker, other."""
        found: dict[str, list[int]] = {}
        commands = {process: _read(process, "cmdline") for process in _all() if self.owns(process)}
        for process, command in commands.items():
            kind = "other"
            if "java" in command.split("\0")[0]:
                kind = "jvm"
            elif "jobs.nightly" in command:
                kind = "driver"
            elif "pyspark.daemon" in command:
                kind = "worker" if "pyspark.daemon" in commands.get(parent_of(process), "") else "daemon"
            found.setdefault(kind, []).append(process)
        return found

    def owns(self, process: int) -> bool:
        """Whether the process lives and is one of these runs'; a zombie does not."""
        return f"{_MARK}={self.mark}" in _read(process, "environ").split("\0")

    def survivors(self, seconds: float) -> list[int]:
        """Processes that are still there after ``seconds``, or as soon as there are none: no ids."""
        until = time.monotonic() + seconds
        while True:
            left = [process for group in self.processes().values() for process in group]
            if not left or time.monotonic() > until:
                return left
            time.sleep(0.1)

    def end(self) -> None:
        """Kill what is left of all runs."""
        for group in self.processes().values():
            for process in group:
                with suppress(ProcessLookupError):
                    os.kill(process, signal.SIGKILL)


@dataclass(frozen=True)
class Run:
    """One run of a night."""

    nights: Nights
    driver: subprocess.Popen[bytes]
    run_id: str
    started: float = field(default_factory=time.time)

    @property
    def ended(self) -> bool:
        """Whether its driver has ended."""
        return self.driver.poll() is not None

    @property
    def seconds(self) -> float:
        """Since its start."""
        return time.time() - self.started


def _all() -> list[int]:
    return [int(folder.name) for folder in Path("/proc").glob("[0-9]*")]


def _read(process: int, file: str) -> str:
    """A file of /proc/<process>; empty where the process is gone or another user's."""
    try:
        return Path(f"/proc/{process}/{file}").read_bytes().decode(errors="replace")
    except OSError:
        return ""


def parent_of(process: int) -> int:
    """The parent's id; 0 where the process is gone."""
    try:
        return int(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[1])
    except (OSError, ValueError, IndexError):
        return 0
