"""V judges G's candidate RecCoTs by what their users did next: validations, and preferences for S-DPO.

G must have written several candidates with the same settings before (jobs/generate_reccot.py), and V been tuned. The
sampling is merged with that of the files, so their penalty is set to 0: S-DPO compares probabilities of G itself.

python -m jobs.validate_reccot --conf conf/local.yaml \\
  --set 'generator.sampling={n: 10, temperature: 1, frequency_penalty: 0}' \\
  --set validator.model.source=… --set validator.counterpart.source=…
SPARK_CONF_DIR=conf/local spark-submit jobs/validate_reccot.py --conf conf/local.yaml …

Both sources are printed by jobs/tune_validator.py; with feedback.cross_fit=false there is no counterpart.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1]))  # a script, as spark-submit runs it, sees only jobs/

from trackrec.runtime.ledger import recorded_run


def main(argv: Sequence[str] | None = None) -> int:
    """Run the job; returns its exit code."""
    with recorded_run("validate_reccot", __doc__, argv) as job:
        from trackrec.stages.opening import open_warehouse
        from trackrec.stages.validate import validate_reccots

        validate_reccots(*open_warehouse(job))
    return job.exit_code


if __name__ == "__main__":
    sys.exit(main())
