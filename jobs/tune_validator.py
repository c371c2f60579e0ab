"""Rec-tuning: V learns what its own users did next, given their history and G's RecCoT, from its base each time.

After jobs/build_histories.py with --set histories.windows=[alignment], and jobs/generate_reccot.py:

python -m jobs.tune_validator --conf conf/local.yaml
SPARK_CONF_DIR=conf/local spark-submit jobs/tune_validator.py --conf conf/local.yaml

Prints V_t as validator.model.source takes it. Run again, it trains no step twice.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1]))  # a script, as spark-submit runs it, sees only jobs/

from trackrec.runtime.ledger import recorded_run


def main(argv: Sequence[str] | None = None) -> int:
    """Write rec_tuning, train the adapter, register it in ``model_versions``. Returns the exit code."""
    with recorded_run("tune_validator", __doc__, argv) as job:
        from trackrec.stages.opening import open_lake, open_warehouse
        from trackrec.stages.rec_tuning import build_rec_tuning
        from trackrec.stages.tune import tune_validator

        build_rec_tuning(*open_warehouse(job))
        tune_validator(*open_lake(job))
    return job.exit_code


if __name__ == "__main__":
    sys.exit(main())
