"""S-DPO: align G to what V preferred among its candidates. No Spark, only Delta files, Arrow and torch.

After jobs/generate_reccot.py and jobs/validate_reccot.py with the same settings:

python -m jobs.align_generator --conf conf/local.yaml \\
  --set 'generator.sampling={n: 10, temperature: 1, frequency_penalty: 0}'

Where several V's have judged these candidates the two that are meant are named, as jobs/tune_validator.py prints them:
--set validator.model.source=… --set validator.counterpart.source=… (the latter with feedback.cross_fit, the default).
Prints the new G as generator.model.source takes it. Run again, it trains no step twice; killed, it goes on.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1]))  # a script, as spark-submit runs it, sees only jobs/

from trackrec.runtime.ledger import recorded_run


def main(argv: Sequence[str] | None = None) -> int:
    """Train the adapter and register it in ``model_versions``. Returns the exit code."""
    with recorded_run("align_generator", __doc__, argv) as job:
        from trackrec.stages.align import align_generator
        from trackrec.stages.opening import open_lake

        align_generator(*open_lake(job))
    return job.exit_code


if __name__ == "__main__":
    sys.exit(main())
