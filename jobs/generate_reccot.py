"""Histories → RecCoTs: G writes for every history that has none of this generator version yet.

python -m jobs.generate_reccot --conf conf/local.yaml
SPARK_CONF_DIR=conf/local spark-submit jobs/generate_reccot.py --conf conf/local.yaml
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1]))  # a script, as spark-submit runs it, sees only jobs/

from trackrec.runtime.ledger import recorded_run


def main(argv: Sequence[str] | None = None) -> int:
    """Run the job; returns its exit code."""
    with recorded_run("generate_reccot", __doc__, argv) as job:
        from trackrec.stages.generate import generate_reccots
        from trackrec.stages.opening import open_rehearsal, open_warehouse

        if job.dry:
            from trackrec.stages.estimate import estimate_reccots

            estimate_reccots(*open_rehearsal(job), job.probe)
        else:
            generate_reccots(*open_warehouse(job))
    return job.exit_code


if __name__ == "__main__":
    sys.exit(main())
