"""Histories at size: Spark against pandas on the same generated log, in one run; every side in a process of its own.

python -m bench.histories                                  # 1, 2.5 and 5 million events, about 6 minutes on 2 cores
python -m bench.histories --events 25000000 --sides spark  # once, by hand

Timed from Parquet to Parquet, every 10th event a snapshot; the JVM's start is not in it, its warm-up is. The first
three sides write the prompts of preference_v1, which must be the same (checksum); ``shares`` writes those of
preference_v2, with Spark. Peak memory is the resident set of the process and, for Spark, its JVM.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import zlib
from pathlib import Path
from typing import Any

from bench.logs import write_log
from trackrec.histories.templates import template_of
from trackrec.runtime.settings import Settings
from trackrec.runtime.settings_files import load_settings

SIDES = ("spark", "pandas", "loops", "shares")


def main() -> int:
    """Run every side on every size and print the JSON line; 1 where two sides wrote different prompts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, nargs="+", default=[1_000_000, 2_500_000, 5_000_000])
    parser.add_argument("--sides", nargs="+", choices=SIDES, default=list(SIDES))
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        print(json.dumps(_measure(args.sides[0], args.child)))
        return 0
    with tempfile.TemporaryDirectory(prefix="bench-histories-") as scratch:
        by_events = {n: _compare(write_log(Path(scratch) / str(n), n), n, args.sides) for n in sorted(args.events)}
    most, half = max(by_events), max(by_events) // 2
    largest = by_events[most]
    line: dict[str, Any] = {"bench": "histories"}
    for side, key in (("pandas", "spark_vs_pandas"), ("loops", "spark_vs_loops")):
        if side in largest and "spark" in largest:
            line[key] = round(largest[side]["s"] / largest["spark"]["s"], 2)
    if "shares" in largest and "spark" in largest:
        line["shares_vs_spark"] = round(largest["shares"]["s"] / largest["spark"]["s"], 2)
    if half in by_events and "spark" in largest:
        line["growth"] = round(largest["spark"]["s"] / by_events[half]["spark"]["s"], 2)
    print(json.dumps(line | {"events": by_events}))
    return int(any(len(_checksums(sides)) > 1 for sides in by_events.values()))


def _checksums(sides: dict[str, dict[str, Any]]) -> set[int]:
    return {figures["checksum"] for side, figures in sides.items() if side != "shares"}


def _compare(folder: Path, events: int, sides: list[str]) -> dict[str, dict[str, Any]]:
    measured = {}
    for side in sides:
        command = [sys.executable, "-m", "bench.histories", "--sides", side, "--child", str(folder)]
        output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
        measured[side] = json.loads(output.splitlines()[-1])
        print(f"{events:>12,} events  {side:<7} {measured[side]}", flush=True)
    return measured


def _measure(side: str, folder: Path) -> dict[str, Any]:
    template = "preference_v2" if side == "shares" else "preference_v1"
    sets = [f"log={folder}/log", "histories.every_n=10", f"prompt.template={template}"]
    settings = load_settings("conf/local.yaml", sets)
    return _spark(settings, folder) if side in {"spark", "shares"} else _pandas(side, settings, folder)


def _spark(settings: Settings, folder: Path) -> dict[str, Any]:
    from pyspark.sql import functions as F

    from trackrec.histories.contents import fill_snapshots
    from trackrec.histories.snapshots import rank_events, snapshots_every_n_events
    from trackrec.runtime.session import spark_session

    spark = spark_session(settings, "bench histories")
    template = template_of(settings.prompt, settings.histories)
    began = time.perf_counter()
    events, items = (spark.read.parquet(f"{folder}/{name}.parquet") for name in ("events", "items"))
    ranked = rank_events(events)
    snapshots = snapshots_every_n_events(ranked, settings.histories.every_n)
    filled = fill_snapshots(snapshots, ranked, F.broadcast(items), settings.histories, template, late=False)
    filled.write.mode("overwrite").parquet(f"{folder}/spark")
    seconds = time.perf_counter() - began
    jvm: Any = spark.sparkContext._jvm
    memory = _peak_gb(os.getpid()) + _peak_gb(jvm.java.lang.ProcessHandle.current().pid())
    written = spark.read.parquet(f"{folder}/spark")
    row = written.agg(F.count("*"), F.sum(F.crc32("prompt_body"))).first()
    assert row is not None  # an aggregate without groups has one row
    return {"s": round(seconds, 1), "peak_gb": round(memory, 2), "histories": row[0], "checksum": row[1]}


def _pandas(side: str, settings: Settings, folder: Path) -> dict[str, Any]:
    from bench import pandas_histories

    histories_of = pandas_histories.with_frames if side == "pandas" else pandas_histories.with_loops
    began = time.perf_counter()
    histories = histories_of(folder, settings.histories, template_of(settings.prompt, settings.histories))
    histories.to_parquet(folder / f"{side}.parquet")
    seconds = time.perf_counter() - began
    checksum = sum(zlib.crc32(body.encode()) for body in histories["prompt_body"])
    memory = _peak_gb(os.getpid())
    return {"s": round(seconds, 1), "peak_gb": round(memory, 2), "histories": len(histories), "checksum": checksum}


def _peak_gb(process: int) -> float:
    status = Path(f"/proc/{process}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1e6


if __name__ == "__main__":
    sys.exit(main())
