"""The feedback loop: distil G, then in turn sample, judge, align G and tune V, round after round.

python -m jobs.alternate --conf conf/loop.yaml --set loop.rounds=2

Killed, it goes on at the step it was in. The versions that it trains are in the table model_versions.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1]))  # a script, as spark-submit runs it, sees only jobs/

from trackrec.runtime.ledger import recorded_run


def main(argv: Sequence[str] | None = None) -> int:
    """Run the loop; returns the exit code."""
    with recorded_run("alternate", __doc__, argv) as job:
        from trackrec.report.rounds import print_measurement
        from trackrec.stages.alternate import alternate
        from trackrec.stages.opening import open_warehouse

        run, tables = open_warehouse(job)
        run.listeners = (*run.listeners, print_measurement)
        alternate(run, tables)
    return job.exit_code


if __name__ == "__main__":
    sys.exit(main())
