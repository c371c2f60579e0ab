"""How long a loop will take: its work is counted before it starts."""

from __future__ import annotations

import math

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from trackrec.feedback.forecast import MACHINE, LoopSize, minutes_of, work_of
from trackrec.feedback.rewards import needs_baseline
from trackrec.feedback.user_split import FOLDS, fold_of
from trackrec.runtime.events import Outcome
from trackrec.runtime.run import Run
from trackrec.runtime.settings import Settings
from trackrec.stages.given_generator import begins_distilled
from trackrec.stages.inputs import holdout_of, teaching_snapshots
from trackrec.tables.warehouse import Warehouse


def forecast_loop(run: Run, tables: Warehouse) -> Outcome:
    """Count the loop's work by kind, once histories are there, and estimate its minutes."""
    settings = run.settings
    with run.stage("forecast") as stage:
        by_fold = _of_folds(settings, teaching_snapshots(settings, tables, settings.loop.histories))
        aligned = _of_folds(settings, teaching_snapshots(settings, tables, settings.loop.aligned_histories))
        tuned = FOLDS if settings.feedback.cross_fit else FOLDS[:1]
        judged = FOLDS if settings.feedback.cross_fit else FOLDS[1:]
        events = holdout_of(settings, tables).select("user_id", "as_of").collect()
        taught = tuple(by_fold[fold] for fold in tuned)
        candidates_about = sum(aligned[fold] for fold in judged)
        size = LoopSize(
            taught=taught,
            aligned=candidates_about,
            greedy_prompts=sum(taught) + len(set(events)),
            holdout_events=len(events),
            baselines=candidates_about if needs_baseline(settings.feedback) else 0,
        )
        work = work_of(size, settings, _distilled(settings, sum(by_fold)))
        stage.counts |= work
        stage.figures["forecast minutes"] = minutes_of(work)
        stage.labels["on"] = MACHINE
    return stage.outcome


def _of_folds(settings: Settings, snapshots: DataFrame) -> list[int]:
    """How many of the snapshots are of users of each fold."""
    fold = fold_of(F.col("user_id"), settings.feedback.validator_share)
    counts = {row["fold"]: row["count"] for row in snapshots.groupBy(fold.alias("fold")).count().collect()}
    return [counts.get(fold, 0) for fold in FOLDS]


def _distilled(settings: Settings, histories: int) -> int:
    """How many histories a teacher writes about, at most."""
    if not begins_distilled(settings.generator.model.source, settings.loop.distill):
        return 0
    wanted, most = math.ceil(histories * settings.distill.share), settings.distill.max_examples
    return wanted if most is None else min(wanted, most)
