"""Upkeep of a warehouse: prunes staging, drops scratch tables, compacts small files, deletes those of older versions.

After some nights, e.g. once a week:

python -m jobs.maintain --conf conf/local.yaml
SPARK_CONF_DIR=conf/local spark-submit jobs/maintain.py --conf conf/local.yaml
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1]))  # a script, as spark-submit runs it, sees only jobs/

from trackrec.runtime.ledger import recorded_run


def main(argv: Sequence[str] | None = None) -> int:
    """Run the job; returns its exit code."""
    with recorded_run("maintain", __doc__, argv) as job:
        from trackrec.stages.maintain import maintain
        from trackrec.stages.opening import open_warehouse

        maintain(*open_warehouse(job))
    return job.exit_code


if __name__ == "__main__":
    sys.exit(main())
