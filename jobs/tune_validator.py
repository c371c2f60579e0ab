"""Rec-tuning: V learns what the users of its fold did next, given G's RecCoTs.

After jobs/build_histories.py with --set histories.windows=[alignment], and jobs/generate_reccot.py twice: as served,
and for the tune.candidates texts a history that V is tuned on besides, with --set generator.sampling.n=1
--set generator.sampling.temperature=1 --set generator.sampling.frequency_penalty=0:

python -m jobs.tune_validator --conf conf/local.yaml
SPARK_CONF_DIR=conf/local spark-submit jobs/tune_validator.py --conf conf/local.yaml

With feedback.cross_fit two V's are tuned, one after the other; --fold tunes one of them. Each is printed as the setting
that takes it, validator.model.source or validator.counterpart.source. Run again, it trains no step twice.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1]))  # a script, as spark-submit runs it, sees only jobs/

from trackrec.runtime.command_line import flags
from trackrec.runtime.ledger import RecordedRun


def main(argv: Sequence[str] | None = None) -> int:
    """Write rec_tuning, train the adapters, register them in ``model_versions``. Returns the exit code."""
    parser = flags("jobs.tune_validator", __doc__)
    parser.add_argument("--fold", type=int, choices=(0, 1), help="tune the V of this fold only (feedback.cross_fit)")
    arguments = parser.parse_args(argv)
    with RecordedRun("tune_validator", arguments) as job:
        from trackrec.feedback.validator import folds_of
        from trackrec.stages.opening import open_lake, open_warehouse
        from trackrec.stages.rec_tuning import build_rec_tuning
        from trackrec.stages.tune import tune_validator

        for fold in folds_of(job.run.settings, arguments.fold):
            build_rec_tuning(*open_warehouse(job), fold)
            tune_validator(*open_lake(job), fold=fold)
    return job.exit_code


if __name__ == "__main__":
    sys.exit(main())
