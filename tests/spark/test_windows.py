from datetime import UTC, datetime, timedelta

import pytest
from pyspark.testing import assertDataFrameEqual

from tests.oracle import newest_snapshot
from trackrec.histories.windows import boundaries, fractions_line, join_newest_snapshot, with_window
from trackrec.runtime.errors import BadInputError
from trackrec.runtime.settings import WindowSettings

pytestmark = pytest.mark.spark

START = datetime(2024, 1, 1, tzinfo=UTC)


def at(seconds):
    return START + timedelta(seconds=seconds)


def events(spark, *seconds):
    return spark.createDataFrame([("a", at(s)) for s in seconds], "user_id string, event_time timestamp")


def test_fractions_cut_the_log_by_time(spark):
    assert boundaries(events(spark, *range(100)), WindowSettings()) == (at(49), at(79), at(89))


def test_what_the_fractions_give_to_each_window_is_said():
    assert fractions_line(WindowSettings().fractions) == (
        "windows.fractions gives 50 % to alignment, 30 % to ctr_train, 10 % to ctr_validation, 10 % to ctr_test of the "
        "events, by time"
    )


def test_given_boundaries_are_used_as_they_are(spark):
    given = (at(1), at(2), at(3))
    assert boundaries(events(spark, 0), WindowSettings(boundaries=given)) == given


def test_too_few_distinct_times_are_bad_input(spark):
    with pytest.raises(BadInputError, match="four time windows are not distinct"):
        boundaries(events(spark, 5, 5, 5), WindowSettings())


def test_an_event_at_a_boundary_belongs_to_the_later_window(spark):
    rows = [
        ("a", at(0), "alignment"),
        ("a", at(1), "ctr_train"),
        ("a", at(2), "ctr_validation"),
        ("a", at(3), "ctr_test"),
    ]
    assertDataFrameEqual(
        with_window(events(spark, 0, 1, 2, 3), (at(1), at(2), at(3))),
        spark.createDataFrame(rows, "user_id string, event_time timestamp, window string"),
    )


def test_a_sample_joins_the_newest_snapshot_that_is_not_later(spark):
    times = [at(10), at(20), at(20.5)]
    snapshots = spark.createDataFrame([("a", t) for t in times] + [("b", at(1))], "user_id string, as_of timestamp")
    seconds = (9, 10, 19.999, 20, 21)
    assertDataFrameEqual(
        join_newest_snapshot(events(spark, *seconds), snapshots),
        spark.createDataFrame(
            [("a", at(s), newest_snapshot(times, at(s))) for s in seconds],
            "user_id string, event_time timestamp, as_of timestamp",
        ),
    )
