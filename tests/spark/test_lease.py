"""One run at a time writes to a warehouse; one that is gone, or silent for long, does not hold it for ever."""

import subprocess
import sys
import threading
import time
from datetime import timedelta

import pytest
from delta.exceptions import ConcurrentAppendException

from trackrec.runtime.clock import utc_now
from trackrec.runtime.errors import LeaseHeldError, LeaseLostError
from trackrec.runtime.settings import LeaseSettings
from trackrec.tables.lease import TABLE, Lease
from trackrec.tables.scratch import drop_scratch
from trackrec.tables.warehouse import SCRATCH, Warehouse

pytestmark = pytest.mark.spark

SETTINGS = LeaseSettings()


@pytest.fixture
def tables(spark, tmp_path):
    return Warehouse(spark, str(tmp_path / "warehouse"))


def lease_of(tables: Warehouse, run_id: str, settings: LeaseSettings = SETTINGS) -> Lease:
    return Lease(tables, settings, run_id=run_id, job="nightly")


def holders(tables: Warehouse) -> list[str]:
    return [row.run_id for row in tables.read(TABLE).collect()]


def change(tables: Warehouse, **values: object) -> None:
    """Other values in the row of the lease; tried again where a heartbeat is written at the same moment."""
    for attempt in range(5):
        (row,) = tables.read(TABLE).collect()
        try:
            tables.insert_rows(TABLE, [row.asDict() | values], replacing="true")
            return
        except ConcurrentAppendException:
            if attempt == 4:
                raise


def said_when_lost(lease: Lease, seconds: float = 60) -> str:
    """What ``hold`` raises once the heartbeat has noticed; empty where it never does."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            lease.hold()
        except LeaseLostError as error:
            return str(error)
        time.sleep(0.2)
    return ""


def test_a_second_run_is_told_who_holds_the_warehouse_and_since_when(tables):
    lease_of(tables, "first").hold()
    with pytest.raises(LeaseHeldError, match=r"run first \(nightly, process \d+ on .*\) holds warehouse .* since 20"):
        lease_of(tables, "second").hold()
    assert holders(tables) == ["first"]


def test_a_lease_that_was_given_back_is_free(tables):
    first, second = lease_of(tables, "first"), lease_of(tables, "second")
    first.hold()
    first.hold()
    first.release()
    second.hold()
    second.release()
    second.release()
    assert holders(tables) == []


def test_of_runs_that_begin_at_once_one_holds_the_warehouse(tables):
    tables.create(TABLE)
    begin, outcomes = threading.Barrier(3), []

    def run(name: str) -> None:
        begin.wait()
        try:
            lease_of(tables, name).hold()
            outcomes.append(name)
        except LeaseHeldError:
            outcomes.append("refused")

    runs = [threading.Thread(target=run, args=(name,)) for name in ("a", "b", "c")]
    for thread in runs:
        thread.start()
    for thread in runs:
        thread.join()
    assert sorted(outcomes)[1:] == ["refused", "refused"]
    assert holders(tables) == sorted(outcomes)[:1]


def test_a_run_that_opens_the_warehouse_again_holds_it(tables):
    lease_of(tables, "run").hold()
    lease_of(tables, "run").hold()
    assert holders(tables) == ["run"]


def test_the_lease_of_a_process_that_is_gone_is_free_at_once(tables):
    lease_of(tables, "killed").hold()
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    change(tables, process=gone.pid)
    lease_of(tables, "next").hold()
    assert holders(tables) == ["next"]


@pytest.mark.parametrize(
    ("silent", "free"), [(SETTINGS.stale_seconds + 60, True), (SETTINGS.stale_seconds - 60, False)]
)
def test_the_lease_of_another_machine_is_free_when_it_was_silent_for_long(tables, silent, free):
    lease_of(tables, "far").hold()
    change(tables, host="elsewhere", heartbeat_time=utc_now() - timedelta(seconds=silent))
    if free:
        lease_of(tables, "next").hold()
    else:
        with pytest.raises(LeaseHeldError):
            lease_of(tables, "next").hold()
    assert holders(tables) == ["next" if free else "far"]


@pytest.fixture(params=["America/New_York", "Asia/Tokyo"])
def elsewhere(monkeypatch, request):
    """This process in another time zone, which PySpark gives timestamps in."""
    monkeypatch.setenv("TZ", request.param)
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def test_a_lease_is_as_old_as_it_is_in_every_time_zone(tables, elsewhere):
    lease_of(tables, "first").hold()
    with pytest.raises(LeaseHeldError, match=f"since {utc_now():%Y-%m-%d %H}"):
        lease_of(tables, "second").hold()
    change(tables, host="elsewhere", heartbeat_time=utc_now() - timedelta(seconds=SETTINGS.stale_seconds + 60))
    lease_of(tables, "next").hold()
    assert holders(tables) == ["next"]


def test_a_run_that_was_taken_over_notices_and_writes_no_more(tables):
    slow = lease_of(tables, "slow", LeaseSettings(heartbeat_seconds=2, stale_seconds=600))
    slow.hold()
    change(tables, run_id="other", token="other")
    assert "another run took over" in said_when_lost(slow)
    slow.release()
    assert holders(tables) == ["other"]


def test_a_warehouse_takes_its_lease_before_the_first_write_and_no_read_does(tables):
    tables.lease = lease_of(tables, "first")
    tables.read_or_empty("runs").count()
    assert not tables.exists(TABLE)
    tables.create("runs")
    assert holders(tables) == ["first"]
    tables.lease.release()


def test_scratch_tables_of_killed_runs_are_dropped_when_the_lease_is_taken(spark, tables, tmp_path):
    spark.range(3).write.format("delta").save(str(tmp_path / "warehouse" / f"{SCRATCH}of_a_killed_run"))
    lease = Lease(tables, SETTINGS, run_id="next", job="nightly", at_start=lambda: drop_scratch(tables))
    tables.lease = lease
    tables.insert_rows("nights", [])
    assert list((tmp_path / "warehouse").glob(f"{SCRATCH}*")) == []
    assert holders(tables) == ["next"]
    lease.release()
