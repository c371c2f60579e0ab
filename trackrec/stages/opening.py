"""Where a job's tables are opened: in a Spark session, or as files without one; the ledger is written through them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trackrec.runtime.ledger import RecordedRun
from trackrec.runtime.run import Run

if TYPE_CHECKING:
    from trackrec.tables.lake import Lake
    from trackrec.tables.rehearsal import Rehearsal
    from trackrec.tables.warehouse import Warehouse


def open_warehouse(job: RecordedRun) -> tuple[Run, Warehouse]:
    """The run and its warehouse in a Spark session; raises BadInputError (settings, Java, Delta, schema).

    The first write takes the warehouse's lease, which the job's end gives back, and drops what killed runs left. Rows
    that an earlier version keyed otherwise are re-keyed first.
    """
    from trackrec.runtime.session import spark_session
    from trackrec.stages.rekey import needs_rekeying, rekey_rows
    from trackrec.tables.lease import Lease
    from trackrec.tables.scratch import drop_scratch
    from trackrec.tables.warehouse import Warehouse

    run = job.run
    tables = job.record_in(Warehouse(spark_session(run.settings, run.name), run.settings.warehouse))
    tables.lease = Lease(
        tables, run.settings.lease, run_id=run.run_id, job=run.name, at_start=lambda: drop_scratch(tables)
    )
    job.at_end(tables.lease.release)
    if needs_rekeying(tables):
        rekey_rows(run, tables)
    return run, tables


def open_rehearsal(job: RecordedRun) -> tuple[Run, Rehearsal]:
    """As ``open_warehouse``, for a run that writes nothing, not even its row of the ledger."""
    from trackrec.runtime.errors import BadInputError
    from trackrec.runtime.session import spark_session
    from trackrec.stages.rekey import needs_rekeying
    from trackrec.tables.rehearsal import Rehearsal

    run = job.run
    tables = Rehearsal(spark_session(run.settings, run.name), run.settings.warehouse)
    if needs_rekeying(tables):
        raise BadInputError(
            f"the rows of G in {tables.root} have keys of an earlier version: all would count as pending.",
            "Run the job once without --dry-run and with --limit 1, which gives them their keys.",
        )
    return run, tables


def open_lake(job: RecordedRun) -> tuple[Run, Lake]:
    """The run and its tables without Spark, which is started only to ask a catalog where they lie; see ``catalog``."""
    from trackrec.tables import catalog

    run = job.run
    return run, job.record_in(catalog.lake_of(run.settings, run.name))
