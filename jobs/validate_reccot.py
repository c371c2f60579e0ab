"""V judges G's candidate RecCoTs by what their users did next: validations, and preferences for S-DPO.

G must have written several candidates with the same settings before (jobs/generate_reccot.py):

G must have written several candidates with the same settings before (jobs/generate_reccot.py):

python -m jobs.validate_reccot --conf conf/local.yaml --set 'generator.sampling={n: 10, temperature: 1}'
spark-submit jobs/validate_reccot.py --conf conf/local.yaml --set 'generator.sampling={n: 10, temperature: 1}'
"""

import sys
from collections.abc import Sequence

from trackrec.stages import validate
from trackrec.stages.job import run_job


def main(argv: Sequence[str] | None = None) -> int:
    """Run the job; returns its exit code."""
    return run_job("validate_reccot", [validate.run], __doc__, argv)


if __name__ == "__main__":
    sys.exit(main())
