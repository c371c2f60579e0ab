"""Rec-tuning: V learns what its own users did next, given their history and G's RecCoT, from its base each time.

After jobs/build_histories.py with --set histories.windows=[alignment], and jobs/generate_reccot.py:

python -m jobs.tune_validator --conf conf/local.yaml
SPARK_CONF_DIR=conf/local spark-submit jobs/tune_validator.py --conf conf/local.yaml

Prints V_t as validator.model.source takes it. Run again, it trains no step twice.
"""

import sys
from collections.abc import Sequence

from trackrec.feedback.judge import validator_settings
from trackrec.stages import rec_tuning as tune
from trackrec.stages.job import Job, run_job


def main(argv: Sequence[str] | None = None) -> int:
    """Write rec_tuning, train the adapter, register it in ``model_versions``. Returns the exit code."""
    return run_job("tune_validator", [tune.run, _train], __doc__, argv)


def _train(job: Job) -> None:
    from trackrec.models.threads import use_threads

    chosen = validator_settings(job.settings)
    use_threads(chosen.threads)  # before torch is imported
    from trackrec.models.registry import register, round_of
    from trackrec.models.resolve import resolve
    from trackrec.stages.tune import tune_validator
    from trackrec.tables.catalog import open_lake

    lake = open_lake(job.settings, job.name)
    made = tune_validator(job.settings, chosen, lake, lambda line: print(line, flush=True))
    generator = resolve(job.settings.generator.model, job.settings.cache_dir())
    number = round_of(lake, "generator", generator.version)
    model, _ = register(job, lake, "validator", made, number=number)
    print(f"tune_validator: {model.version}, round {number}, validator.model.source={made.source}")


if __name__ == "__main__":
    sys.exit(main())
