"""A night: histories → generate → encode → publish, only for users that changed.

python -m jobs.nightly --conf conf/local.yaml
SPARK_CONF_DIR=conf/local spark-submit jobs/nightly.py --conf conf/local.yaml
"""

import sys
from collections.abc import Sequence

from trackrec.stages import encode, generate, histories, models, publish
from trackrec.stages.job import run_job


def main(argv: Sequence[str] | None = None) -> int:
    """Run the job; returns its exit code."""
    return run_job("nightly", [models.run, histories.run, generate.run, encode.run, publish.run], __doc__, argv)


if __name__ == "__main__":
    sys.exit(main())
