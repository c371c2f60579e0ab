"""Histories → RecCoTs: G writes for every history that has none of this generator version yet.

python -m jobs.generate_reccot --conf conf/local.yaml
SPARK_CONF_DIR=conf/local spark-submit jobs/generate_reccot.py --conf conf/local.yaml
"""

import sys
from collections.abc import Sequence

from trackrec.stages import generate
from trackrec.stages.job import run_job


def main(argv: Sequence[str] | None = None) -> int:
    """Run the job; returns its exit code."""
    return run_job("generate_reccot", [generate.run], __doc__, argv)


if __name__ == "__main__":
    sys.exit(main())
