"""Thirty nights on one warehouse: whether a night takes longer as tables grow, and whether files stay few.

python -m bench.month                             # 30 nights of 200 users, upkeep after every seventh: half an hour
python -m bench.month --nights 6 --upkeep-every 3

Every user has a new event each night, G is scripted, so all tables grow by a row a user. Each night is a process of its
own; its time is that of the stages by the ledger, without Spark's start. growth: median of the last three nights over
that of the second to the fourth (the first reads everybody). Exit code 1 where it is above 1.3, or where the files of
all tables after the last upkeep are more than twice those after the first.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from bench.nights import Nights, ledger_counts, night_of, write_log, write_settings

BOUND_GROWTH, BOUND_FILES = 1.3, 2.0


def main() -> int:
    """Run the nights and print the JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nights", type=int, default=30)
    parser.add_argument("--users", type=int, default=200)
    parser.add_argument("--upkeep-every", type=int, default=7, help="nights between two runs of jobs.maintain")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-month-") as scratch:
        folder = Path(scratch)
        write_log(folder, arguments.users, arguments.nights, title="Title")
        conf = write_settings(folder, folder, {"engine": "scripted"})
        nights, seconds, files = Nights(folder), [], []
        for number in range(arguments.nights):
            seconds.append(_night(nights, conf, number))
            print(f"night {number + 1} of {arguments.nights}: {seconds[-1]:.1f} s", flush=True)
            if (number + 1) % arguments.upkeep_every == 0:
                files.append(_upkeep(conf, number))
                print(f"upkeep: {files[-1]['before']:,} files, {files[-1]['after']:,} after", flush=True)
    growth = statistics.median(seconds[-3:]) / statistics.median(seconds[1:4])
    line = {"bench": "month", "growth": round(growth, 2), "files": files, "seconds": seconds, "users": arguments.users}
    print(json.dumps(line))
    return int(growth > BOUND_GROWTH or files[-1]["after"] > BOUND_FILES * files[0]["after"])


def _night(nights: Nights, conf: Path, number: int) -> float:
    """Seconds of the stages of night ``number``."""
    run = nights.start(number)
    if run.driver.wait():
        raise SystemExit(f"night {number + 1} ended with {run.driver.returncode}:\n{nights.printed[-2000:]}")
    seconds: float = sum(n for name, n in ledger_counts(conf, run.run_id).items() if name.endswith("_seconds"))
    return round(seconds, 1)


def _upkeep(conf: Path, number: int) -> dict[str, int]:
    """Files of all tables before and after ``jobs.maintain``."""
    run_id = f"upkeep-{number}"
    job = [sys.executable, "-m", "jobs.maintain", "--conf", str(conf), "--run-id", run_id]
    job += ["--set", f"histories.as_of={night_of(number):%Y-%m-%d}"]
    subprocess.run(job, check=True, stdout=subprocess.DEVNULL)
    counts = ledger_counts(conf, run_id)
    return {"before": int(counts["maintain_files before"]), "after": int(counts["maintain_files"])}


if __name__ == "__main__":
    sys.exit(main())
