"""The catalogue → a vector of each item's text, only for items that are new or changed.

python -m jobs.encode_items --conf conf/local.yaml
SPARK_CONF_DIR=conf/local spark-submit jobs/encode_items.py --conf conf/local.yaml
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1]))  # a script, as spark-submit runs it, sees only jobs/

from trackrec.runtime.ledger import recorded_run


def main(argv: Sequence[str] | None = None) -> int:
    """Run the job; returns its exit code."""
    with recorded_run("encode_items", __doc__, argv) as job:
        from trackrec.stages.encode_items import encode_items
        from trackrec.stages.opening import open_warehouse

        encode_items(*open_warehouse(job))
    return job.exit_code


if __name__ == "__main__":
    sys.exit(main())
