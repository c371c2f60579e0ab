"""Logs → as-of histories and labelled samples.

python -m jobs.build_histories --conf conf/local.yaml
SPARK_CONF_DIR=conf/local spark-submit jobs/build_histories.py --conf conf/local.yaml --set histories.every_n=5
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1]))  # a script, as spark-submit runs it, sees only jobs/

from trackrec.runtime.ledger import recorded_run


def main(argv: Sequence[str] | None = None) -> int:
    """Run the job; returns its exit code."""
    with recorded_run("build_histories", __doc__, argv) as job:
        from trackrec.stages.histories import build_histories, check_night
        from trackrec.stages.opening import open_warehouse

        check_night(job.run.settings)
        build_histories(*open_warehouse(job))
    return job.exit_code


if __name__ == "__main__":
    sys.exit(main())
