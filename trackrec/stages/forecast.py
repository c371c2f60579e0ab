"""How long a loop will take: its work is counted before it starts."""

from __future__ import annotations

from pyspark.sql import functions as F

from trackrec.feedback.forecast import MACHINE, LoopSize, minutes_of, work_of
from trackrec.feedback.user_split import is_validator_user
from trackrec.runtime.events import Outcome
from trackrec.runtime.run import Run
from trackrec.stages.inputs import holdout_of, stored_histories
from trackrec.tables.warehouse import Warehouse


def forecast_loop(run: Run, tables: Warehouse) -> Outcome:
    """Count the loop's work by kind, once histories are there, and estimate its minutes."""
    settings = run.settings
    with run.stage("forecast") as stage:
        histories = stored_histories(settings, tables)
        of_v = is_validator_user(F.col("user_id"), settings.feedback.validator_share)
        events = holdout_of(settings, tables).persist()
        try:
            prompts = histories.where(of_v).select("prompt_key").union(events.select("prompt_key")).distinct()
            size = LoopSize(
                validator_histories=histories.where(of_v).count(),
                generator_histories=histories.where(~of_v).count(),
                holdout_events=events.count(),
                greedy_prompts=prompts.count(),
            )
        finally:
            events.unpersist()
        work = work_of(size, settings)
        stage.counts |= work
        stage.figures["forecast minutes"] = minutes_of(work)
        stage.labels["on"] = MACHINE
    return stage.outcome
