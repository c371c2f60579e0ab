"""The catalogue → two sentences of G about each item, asked once; jobs/encode_items.py makes vectors of them.

python -m jobs.describe_items --conf conf/local.yaml
SPARK_CONF_DIR=conf/local spark-submit jobs/describe_items.py --conf conf/local.yaml
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1]))  # a script, as spark-submit runs it, sees only jobs/

from trackrec.runtime.ledger import recorded_run


def main(argv: Sequence[str] | None = None) -> int:
    """Run the job; returns its exit code."""
    with recorded_run("describe_items", __doc__, argv) as job:
        from trackrec.stages.describe_items import describe_items
        from trackrec.stages.opening import open_warehouse

        describe_items(*open_warehouse(job))
    return job.exit_code


if __name__ == "__main__":
    sys.exit(main())
