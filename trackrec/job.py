"""What every job is made of: flags, settings, session, warehouse, clock, ledger, and one line for an error."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from pyspark.errors import PythonException

from trackrec.cli import flags, report, utc_now
from trackrec.config import Settings, load_settings
from trackrec.errors import EXIT_BAD_INPUT, EXIT_DONE, EXIT_QUALITY_GATE, TrackrecError

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

    from trackrec.tables import Warehouse

_STATUS = {EXIT_DONE: "done", EXIT_QUALITY_GATE: "quality_gate", EXIT_BAD_INPUT: "bad_input"}


@dataclass
class Job:
    """One run: what it reads with, writes to, and the clock and id that its rows carry."""

    name: str
    settings: Settings
    spark: SparkSession
    warehouse: Warehouse
    run_id: str
    started: datetime
    counts: dict[str, float] = field(default_factory=dict)

    def stamp(self, rows: DataFrame) -> DataFrame:
        """Add run_id and created_time, the columns that say who wrote a row and when."""
        from pyspark.sql import functions as F

        return rows.withColumns({"run_id": F.lit(self.run_id), "created_time": F.lit(utc_now())})


def run_job(
    name: str, stages: Sequence[Callable[[Job], None]], description: str | None, argv: Sequence[str] | None
) -> int:
    """Run ``stages`` in one Spark application. Returns the exit code: 0 done, 1 quality gate, 2 bad input."""
    args = flags(f"jobs.{name}", description).parse_args(argv)
    try:
        settings = load_settings(args.conf, args.set)
        job = _open(name, settings, args.run_id or uuid.uuid4().hex)
    except TrackrecError as error:
        return report(error)
    code = EXIT_DONE
    try:
        for stage in stages:
            stage(job)
    except TrackrecError as error:
        code = report(error)
    except PythonException as error:
        code = report(_of_worker(error, settings))
    if job.counts or code == EXIT_DONE:
        _record(job, code)
    return code


def _open(name: str, settings: Settings, run_id: str) -> Job:
    from trackrec.session import spark_session
    from trackrec.tables import Warehouse

    started = utc_now()
    spark = spark_session(settings, name)
    return Job(name, settings, spark, Warehouse(spark, settings.warehouse), run_id, started)


def _record(job: Job, code: int) -> None:
    job.warehouse.record_run(
        job.name,
        run_id=job.run_id,
        status=_STATUS[code],
        counts=job.counts,
        config_hash=job.settings.digest(),
        started=job.started,
        now=utc_now(),
    )


def _of_worker(error: PythonException, settings: Settings) -> TrackrecError:
    lines = [line for line in str(error).splitlines() if line.strip() and not line.startswith("\tat ")]
    said = next((line for line in reversed(lines) if "Error" in line or "Exception" in line), lines[-1])
    return TrackrecError(f"a Python worker failed: {said.strip()}.", f"The whole traceback is in {settings.log}.")
