"""Vectors → reccot_vectors, the table that consumers read, after its checks.

python -m jobs.publish_features --conf conf/local.yaml
SPARK_CONF_DIR=conf/local spark-submit jobs/publish_features.py --conf conf/local.yaml
"""

import sys
from collections.abc import Sequence

from trackrec.stages import publish
from trackrec.stages.job import run_job


def main(argv: Sequence[str] | None = None) -> int:
    """Run the job; returns its exit code."""
    return run_job("publish_features", [publish.run], __doc__, argv)


if __name__ == "__main__":
    sys.exit(main())
