"""Logs → as-of histories and labelled samples.

python -m jobs.build_histories --conf conf/local.yaml
SPARK_CONF_DIR=conf/local spark-submit jobs/build_histories.py --conf conf/local.yaml --set histories.every_n=5
"""

import sys
from collections.abc import Sequence

from trackrec.stages import histories
from trackrec.stages.job import run_job


def main(argv: Sequence[str] | None = None) -> int:
    """Run the job; returns its exit code."""
    return run_job("build_histories", [histories.run], __doc__, argv)


if __name__ == "__main__":
    sys.exit(main())
