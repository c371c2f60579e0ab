"""How far the workers of a stage are, between two commits of the driver."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from pyspark.sql import SparkSession

from trackrec.runtime.events import Stage
from trackrec.runtime.progress_channel import ProgressChannel, ProgressCounts, progress_channel


@contextmanager
def worker_progress(spark: SparkSession, stage: Stage, total: int, unit: str) -> Iterator[ProgressChannel]:
    """While the block runs, rows that workers finished move ``stage`` on from ``stage.counts["rows"]``, of ``total``.

    The start of an engine is said: it takes 7 to 50 s, in which no row can finish.
    """
    starting = 0

    def report(counts: ProgressCounts) -> None:
        nonlocal starting
        if counts.engines_starting > starting:
            starting = counts.engines_starting
            stage.notice("an engine is starting in a Python worker")
        stage.progress(min(stage.counts["rows"] + counts.rows_finished, total), total, unit)

    with progress_channel(spark.conf.get("spark.driver.host", "127.0.0.1") or "127.0.0.1", report) as channel:
        yield channel
