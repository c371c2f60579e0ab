"""Measure what the features are worth to a CTR model: no Spark, only Delta files, Arrow and torch.

python -m jobs.train_ctr --conf conf/local.yaml --set ctr.seeds=[1,2,3]
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence

from trackrec.cli import flags, report, utc_now
from trackrec.config import Settings, load_settings
from trackrec.errors import EXIT_DONE, TrackrecError
from trackrec.schemas import FEATURE_GAIN


def main(argv: Sequence[str] | None = None) -> int:
    """Train every arm and seed, append to ``feature_gain`` after each seed, print the table. Returns the exit code."""
    args = flags("jobs.train_ctr", __doc__).parse_args(argv)
    try:
        return _run(load_settings(args.conf, args.set), args.run_id or uuid.uuid4().hex)
    except TrackrecError as error:
        return report(error)


def _run(settings: Settings, run_id: str) -> int:
    from trackrec.threads import use_threads

    use_threads(settings.ctr.threads)  # before torch is imported
    from trackrec.ctr.measure import Measurement
    from trackrec.ctr.report import gain_table
    from trackrec.lake import append_rows

    measurement = Measurement(settings, run_id, utc_now)
    append_rows(settings.warehouse, FEATURE_GAIN, measurement.floors())
    for seed in settings.ctr.seeds:
        append_rows(settings.warehouse, FEATURE_GAIN, measurement.run_seed(seed, lambda line: print(line, flush=True)))
    print(f"\n{gain_table(measurement)}\n")
    print(f"train_ctr: {len(measurement.rows)} rows appended to feature_gain, run {run_id}")
    return EXIT_DONE


if __name__ == "__main__":
    raise SystemExit(main())
