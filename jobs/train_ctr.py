"""Measure what the features are worth to a CTR model: no Spark, only Delta files, Arrow and torch.

python -m jobs.train_ctr --conf conf/local.yaml --set ctr.seeds=[1,2,3]

Where the warehouse is catalog.schema, Spark is asked where the tables lie and writes feature_gain and gain_slices.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1]))  # a script, as spark-submit runs it, sees only jobs/

from trackrec.runtime.ledger import recorded_run


def main(argv: Sequence[str] | None = None) -> int:
    """Train every backbone, arm and seed, write rows as they come, print and plot the gains; returns the exit code."""
    with recorded_run("train_ctr", __doc__, argv) as job:
        from trackrec.report.gain import gain_table, measured_figures
        from trackrec.report.plot import plot_folder, save_plot
        from trackrec.stages.opening import open_lake
        from trackrec.stages.train_ctr import train_ctr

        run, tables = open_lake(job)
        outcome = train_ctr(run, tables)
        figures = [measured_figures(of_backbone.measurement, of_backbone.slices) for of_backbone in outcome.measured]
        for of_backbone in figures:
            print(f"\n{gain_table(of_backbone)}")
        for line in save_plot(figures, plot_folder(run.settings.warehouse)):
            print(line)
    return job.exit_code


if __name__ == "__main__":
    sys.exit(main())
