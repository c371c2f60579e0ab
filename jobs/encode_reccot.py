"""RecCoTs → vectors of the RecCoT and of its prompt.

python -m jobs.encode_reccot --conf conf/local.yaml
SPARK_CONF_DIR=conf/local spark-submit jobs/encode_reccot.py --conf conf/local.yaml
"""

import sys
from collections.abc import Sequence

from trackrec.stages import encode
from trackrec.stages.job import run_job


def main(argv: Sequence[str] | None = None) -> int:
    """Run the job; returns its exit code."""
    return run_job("encode_reccot", [encode.run], __doc__, argv)


if __name__ == "__main__":
    sys.exit(main())
