"""Who may write to a warehouse: one run at a time, by a row of ``leases`` with a heartbeat.

Every write is idempotent, so two runs at once lose and double nothing. But each asks G for the texts that the other is
having written, and pays for them: of two at once 122 calls were made for 80 prompts.
"""

from __future__ import annotations

import os
import socket
import threading
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import functions as F

from trackrec.runtime.clock import utc_now
from trackrec.runtime.errors import LeaseHeldError, LeaseLostError
from trackrec.runtime.known_faults import is_lasting
from trackrec.runtime.settings import LeaseSettings
from trackrec.tables.schemas import LEASES

if TYPE_CHECKING:
    from trackrec.tables.warehouse import Warehouse

TABLE = LEASES.name
_NAME = "warehouse"  # the one row
_TRIES = 5  # to write the row while another run does: Delta lets one of the two in
_TRY_SECONDS = 0.5


class Lease:
    """The right of one run to write; taken at the first ``hold``, kept by a thread, given back by ``release``.

    A lease is free where its holder's process is gone from this machine, or was not heard of for ``stale_seconds``.
    ``at_start`` is called once, when it is taken: nobody else writes then.
    """

    def __init__(
        self,
        tables: Warehouse,
        settings: LeaseSettings,
        *,
        run_id: str,
        job: str,
        at_start: Callable[[], object] = lambda: None,
    ) -> None:
        self._tables = tables
        self._at_start = at_start
        self._settings = settings
        self._holder = {"run_id": run_id, "job": job, "host": socket.gethostname(), "process": os.getpid()}
        self._token = uuid.uuid4().hex
        self._taken: datetime | None = None
        self._lost = False
        self._released = threading.Event()
        self._thread: threading.Thread | None = None

    def hold(self) -> None:
        """Call before each write. LeaseHeldError where another run writes, LeaseLostError where one took over."""
        if self._lost:
            raise LeaseLostError(
                f"another run took over warehouse {self._tables.root}, for this one, {self._holder['run_id']}, was not "
                f"heard of for lease.stale_seconds {self._settings.stale_seconds:g}.",
                "What was committed stays; run it again when the other has ended.",
            )
        if self._taken is None:
            self._take()
            self._thread = threading.Thread(target=self._beat, daemon=True)
            self._thread.start()
            self._at_start()

    def release(self) -> None:
        """Give the lease back, where it was taken."""
        if self._thread is None or self._lost:
            return
        self._released.set()
        self._thread.join()
        held = self._stored()
        if held is not None and held["token"] == self._token:
            self._tables.replace_all(TABLE, [])
        self._taken = None

    def _take(self) -> None:
        self._tables.create(TABLE)
        for attempt in range(_TRIES):
            held, taken = self._stored(), utc_now()
            if held is not None and not self._is_free(held):
                raise self._held_by(held)
            try:
                # Of two runs that replace the row at once Delta lets one in; the other looks again.
                self._tables.replace_all(TABLE, [self._row(taken)])
                self._taken = taken
                return
            except (PySparkException, Py4JJavaError) as error:
                if attempt == _TRIES - 1 or is_lasting(error):
                    raise
            time.sleep(_TRY_SECONDS)

    def _stored(self) -> dict[str, Any] | None:
        row = self._tables.read_or_empty(TABLE).where(F.col("name") == _NAME).first()
        if row is None:
            return None
        # PySpark gives timestamps in the machine's own time zone, without saying so.
        times = {name: row[name].astimezone(UTC) for name in ("taken_time", "heartbeat_time")}
        return row.asDict() | times

    def _row(self, taken: datetime) -> dict[str, Any]:
        return {
            "name": _NAME,
            "token": self._token,
            **self._holder,
            "taken_time": taken,
            "heartbeat_time": utc_now(),
        }

    def _is_free(self, held: dict[str, Any]) -> bool:
        if all(held[name] == self._holder[name] for name in ("run_id", "job", "host", "process")):
            return True  # this run opened the warehouse before
        if held["host"] == self._holder["host"] and not _is_alive(held["process"]):
            return True
        return bool(utc_now() - held["heartbeat_time"] > timedelta(seconds=self._settings.stale_seconds))

    def _held_by(self, held: dict[str, Any]) -> LeaseHeldError:
        return LeaseHeldError(
            f"run {held['run_id']} ({held['job']}, process {held['process']} on {held['host']}) holds warehouse "
            f"{self._tables.root} since {held['taken_time']:%Y-%m-%d %H:%M:%S} UTC, last heard of at "
            f"{held['heartbeat_time']:%H:%M:%S}.",
            f"Let it end, or stop it; it is taken over lease.stale_seconds {self._settings.stale_seconds:g} after its "
            f"last heartbeat, or at once where the row of table {TABLE} is deleted.",
        )

    def _beat(self) -> None:
        # With spark.scheduler.mode FAIR a beat takes the next slot that is free. Where G's tasks hold all of them it
        # waits for one of these to end: lease.stale_seconds must be longer than a chunk takes.
        with suppress(Exception):  # of a JVM that is gone the run itself tells
            self._tables.spark.sparkContext.setLocalProperty("spark.scheduler.pool", TABLE)
        while not self._released.wait(self._settings.heartbeat_seconds):
            assert self._taken is not None
            with suppress(Exception):  # a beat that fails is made good by the next one, or the lease goes stale
                if not self._renew(self._row(self._taken)):
                    self._lost = True
                    return

    def _renew(self, row: dict[str, Any]) -> int:
        """Write the heartbeat; 0 where the row is another run's, or gone."""
        own = self._tables.frame(TABLE, [row])
        return self._tables.update(TABLE, own, "old.token = new.token", {"heartbeat_time": "new.heartbeat_time"})


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
