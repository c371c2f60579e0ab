"""The statistics teacher's RecCoTs as features: written, encoded, published under a feature_version of their own.

No LLM is fetched or run. After jobs/build_histories.py or a night:

python -m jobs.publish_teacher --conf conf/local.yaml
SPARK_CONF_DIR=conf/local spark-submit jobs/publish_teacher.py --conf conf/local.yaml
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1]))  # a script, as spark-submit runs it, sees only jobs/

from trackrec.runtime.ledger import recorded_run


def main(argv: Sequence[str] | None = None) -> int:
    """Run the job; returns its exit code."""
    with recorded_run("publish_teacher", __doc__, argv) as job:
        from trackrec.stages.encode import encode_reccots
        from trackrec.stages.opening import open_warehouse
        from trackrec.stages.publish import publish_features
        from trackrec.stages.teacher_reccots import teacher_spec, write_teacher_reccots

        run, tables = open_warehouse(job)
        spec = teacher_spec(run.settings)
        for stage in (write_teacher_reccots, encode_reccots, publish_features):
            stage(run, tables, spec)
    return job.exit_code


if __name__ == "__main__":
    sys.exit(main())
