"""Measure what the features are worth to a CTR model: no Spark, only Delta files, Arrow and torch.

python -m jobs.train_ctr --conf conf/local.yaml --set ctr.seeds=[1,2,3]
"""

from __future__ import annotations

import argparse
import sys
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime

from trackrec.config import Settings, load_settings
from trackrec.errors import EXIT_DONE, TrackrecError
from trackrec.schemas import FEATURE_GAIN


def main(argv: Sequence[str] | None = None) -> int:
    """Train every arm and seed, append to ``feature_gain`` after each seed, print the table. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m jobs.train_ctr", description=__doc__)
    parser.add_argument("--conf", required=True, help="settings, e.g. conf/local.yaml, above the base.yaml beside it")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="one setting; repeatable")
    parser.add_argument("--run-id", default=None, help="id that the rows of this run carry (default: a new one)")
    args = parser.parse_args(argv)
    try:
        return _run(load_settings(args.conf, args.set), args.run_id or uuid.uuid4().hex)
    except TrackrecError as error:
        print(f"error: {error}", file=sys.stderr, flush=True)
        return error.exit_code


def _run(settings: Settings, run_id: str) -> int:
    from trackrec.ctr.delta import append_rows
    from trackrec.ctr.measure import Measurement
    from trackrec.ctr.report import report

    measurement = Measurement(settings, run_id, lambda: datetime.now(UTC))
    append_rows(settings.warehouse, FEATURE_GAIN, measurement.floors())
    for seed in settings.ctr.seeds:
        append_rows(settings.warehouse, FEATURE_GAIN, measurement.run_seed(seed, lambda line: print(line, flush=True)))
    print(f"\n{report(measurement)}\n")
    print(f"train_ctr: {len(measurement.rows)} rows appended to feature_gain, run {run_id}")
    return EXIT_DONE


if __name__ == "__main__":
    raise SystemExit(main())
