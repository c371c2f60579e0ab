"""What every Spark job is made of: the session, the warehouse, and the stages that are run in it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pyspark.errors import PythonException

from trackrec.runtime.command_line import utc_now
from trackrec.runtime.errors import TrackrecError
from trackrec.runtime.ledger import Opened, Run, run_recorded

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

    from trackrec.tables.warehouse import Warehouse


@dataclass(kw_only=True)
class Job(Run):
    """One run: what it reads with, writes to, and the clock and id that its rows carry."""

    spark: SparkSession
    warehouse: Warehouse

    def stamp(self, rows: DataFrame) -> DataFrame:
        """Add run_id and created_time, the columns that say who wrote a row and when."""
        from pyspark.sql import functions as F

        return rows.withColumns({"run_id": F.lit(self.run_id), "created_time": F.lit(utc_now())})


def run_job(
    name: str, stages: Sequence[Callable[[Job], None]], description: str | None, argv: Sequence[str] | None
) -> int:
    """Run ``stages`` in one Spark application. Returns the exit code, as in errors.py."""

    def opened(run: Run) -> Opened:
        from trackrec.runtime.session import spark_session
        from trackrec.tables.warehouse import Warehouse

        spark = spark_session(run.settings, name)
        warehouse = Warehouse(spark, run.settings.warehouse)
        job = Job(**vars(run), spark=spark, warehouse=warehouse)  # counts is one dict: what stages add is recorded
        return warehouse, lambda: _work(job, stages)

    return run_recorded(name, description, argv, opened)


def _work(job: Job, stages: Sequence[Callable[[Job], None]]) -> None:
    for stage in stages:
        try:
            stage(job)
        except PythonException as error:
            raise _of_worker(error, job.settings.log) from error


def _of_worker(error: PythonException, log: str) -> Exception:
    lines = [line for line in str(error).splitlines() if line.strip() and not line.startswith("\tat ")]
    said = next((line for line in reversed(lines) if "Error" in line or "Exception" in line), lines[-1]).strip()
    if said.startswith("trackrec.runtime.errors."):  # foreseen there, e.g. weights that this executor cannot have
        return TrackrecError(f"a Python worker failed: {said}.", f"The whole traceback is in {log}.")
    return RuntimeError(f"a Python worker failed: {said}")
