"""Measure what the features are worth to a CTR model: no Spark, only Delta files, Arrow and torch.

python -m jobs.train_ctr --conf conf/local.yaml --set ctr.seeds=[1,2,3]

Where the warehouse is catalog.schema, Spark is asked where the tables lie and writes feature_gain.
"""

from __future__ import annotations

from collections.abc import Sequence

from trackrec.runtime.clock import utc_now
from trackrec.runtime.ledger import Opened, Run, run_recorded
from trackrec.tables.lake import Lake, open_lake


def main(argv: Sequence[str] | None = None) -> int:
    """Train every arm and seed, add to ``feature_gain`` after each seed, print the table. Returns the exit code."""
    return run_recorded("train_ctr", __doc__, argv, _opened)


def _opened(run: Run) -> Opened:
    lake = open_lake(run.settings, run.name)
    return lake, lambda: _train(run, lake)


def _train(run: Run, lake: Lake) -> None:
    from trackrec.models.threads import use_threads

    use_threads(run.settings.ctr.threads)  # before torch is imported
    from trackrec.ctr.experiment import Measurement
    from trackrec.report.gain import gain_table

    measurement = Measurement(run.settings, lake, run.run_id, utc_now)
    run.counts["rows"] = lake.insert_rows("feature_gain", measurement.floors())
    for seed in run.settings.ctr.seeds:
        found = measurement.run_seed(seed, lambda line: print(line, flush=True))
        run.counts["rows"] += lake.insert_rows("feature_gain", found)
    print(f"\n{gain_table(measurement)}\n")
    print(f"train_ctr: {run.counts['rows']} rows added to feature_gain, run {run.run_id}")


if __name__ == "__main__":
    raise SystemExit(main())
