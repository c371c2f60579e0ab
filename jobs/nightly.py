"""A night: histories → generate → encode → publish → items, only for users and items that changed.

python -m jobs.nightly --conf conf/local.yaml
SPARK_CONF_DIR=conf/local spark-submit jobs/nightly.py --conf conf/local.yaml
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1]))  # a script, as spark-submit runs it, sees only jobs/

from trackrec.runtime.ledger import recorded_run


def main(argv: Sequence[str] | None = None) -> int:
    """Run the job; returns its exit code."""
    with recorded_run("nightly", __doc__, argv) as job:
        from trackrec.stages.encode import encode_reccots
        from trackrec.stages.encode_items import encode_items
        from trackrec.stages.generate import generate_reccots
        from trackrec.stages.histories import build_histories, check_night
        from trackrec.stages.models import fetch_models
        from trackrec.stages.opening import open_rehearsal, open_warehouse
        from trackrec.stages.publish import publish_features

        check_night(job.run.settings)
        if job.dry:
            from trackrec.stages.estimate import estimate_reccots

            run, rehearsal = open_rehearsal(job)
            fetch_models(run, rehearsal)
            build_histories(run, rehearsal)
            estimate_reccots(run, rehearsal, job.probe)
            return job.exit_code
        run, tables = open_warehouse(job)
        stages = (fetch_models, build_histories, generate_reccots, encode_reccots, publish_features, encode_items)
        # Items last: the encoder is in the worker by then, no engine of G starts beside it, and what is wrong with the
        # catalogue does not keep the users' features back.
        for stage in stages:
            stage(run, tables)
    return job.exit_code


if __name__ == "__main__":
    sys.exit(main())
