"""The feedback loop: distil G, then in turn sample, judge, align G and tune V, round after round.

python -m jobs.alternate --conf conf/loop.yaml --set loop.rounds=2

Killed, it goes on at the step it was in. The versions it makes are in the table model_versions.
"""

import sys
from collections.abc import Sequence

from trackrec.stages.job import Job, run_job


def main(argv: Sequence[str] | None = None) -> int:
    """Run the loop; returns the exit code."""
    return run_job("alternate", [_loop], __doc__, argv)


def _loop(job: Job) -> None:
    from trackrec.models.threads import use_threads

    use_threads(job.settings.generator.threads)  # before torch is imported
    from trackrec.stages.alternate import alternate

    done = alternate(job, lambda line: print(line, flush=True))
    job.counts |= {f"{name} seconds": found["seconds"] for name, found in done.items()}


if __name__ == "__main__":
    sys.exit(main())
