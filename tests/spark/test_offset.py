"""What the offset counts: everything that was known before the snapshot, and nothing of the event itself."""

from datetime import UTC, datetime, timedelta

import pytest
from pyspark.sql import functions as F

from trackrec.feedback.offset import COUNTS, NAMED, Offset, with_counts, with_offset

pytestmark = pytest.mark.spark

START = datetime(2024, 1, 1, tzinfo=UTC)


def at(second):
    return START + timedelta(seconds=second)


def samples(spark, *rows):
    """(user, item, second at which it was known, label[, window])."""
    values = [
        (user, item, at(second), label, *(window or ["alignment"])) for user, item, second, label, *window in rows
    ]
    return spark.createDataFrame(
        values, "user_id string, item_id string, known_time timestamp, label int, window string"
    )


def events(spark, *rows):
    """(user, second of the snapshot, item)."""
    values = [(user, at(second), item) for user, second, item in rows]
    return spark.createDataFrame(values, "user_id string, as_of timestamp, item_id string")


LOG = [("a", "i", 1, 1), ("a", "j", 2, 0), ("b", "i", 3, 0), ("b", "j", 4, 1), ("c", "i", 5, 1), ("a", "k", 6, 1)]


def counted(spark, log, *asked):
    """(user, second, item) → its counts."""
    found = {}
    for row in with_counts(events(spark, *asked), samples(spark, *log)).collect():
        second = int((row.as_of.astimezone(UTC) - START).total_seconds())
        found[row.user_id, second, row.item_id] = tuple(row[name] for name in COUNTS)
    return found


def test_counted_is_what_was_known_strictly_before_the_snapshot(spark):
    assert counted(spark, LOG, ("a", 3, "i"), ("a", 4, "i"), ("a", 9, "i")) == {
        ("a", 3, "i"): (1, 2, 1, 1),  # b's event at 3 is not yet known
        ("a", 4, "i"): (1, 2, 1, 2),
        ("a", 9, "i"): (2, 3, 2, 3),
    }


def test_who_and_what_was_never_met_counts_nothing(spark):
    assert counted(spark, LOG, ("new", 9, "i"), ("a", 9, "new")) == {
        ("new", 9, "i"): (0, 0, 2, 3),
        ("a", 9, "new"): (2, 3, 0, 0),
    }


def test_events_of_a_later_window_are_not_counted(spark):
    log = [*LOG, ("b", "i", 7, 1, "ctr_test"), ("a", "l", 7, 1, "ctr_train")]
    assert counted(spark, log, ("a", 9, "i")) == {("a", 9, "i"): (2, 3, 2, 3)}


def test_no_label_of_the_event_itself_or_later_moves_a_count(spark):
    asked = [("a", 3, "i"), ("c", 5, "i")]
    changed = [(user, item, second, 1 - label if second >= 5 else label) for user, item, second, label in LOG]
    assert counted(spark, changed, *asked) == counted(spark, LOG, *asked)


def test_the_same_event_is_asked_about_as_often_as_before(spark):
    """With several RecCoTs it stands there several times, and no row is lost or doubled."""
    asked = events(spark, ("a", 4, "i"), ("a", 4, "i"), ("a", 4, "j"))
    assert with_counts(asked, samples(spark, *LOG)).count() == 3


@pytest.mark.parametrize(
    ("reads", "named"),
    [({}, (2, 1)), ({"liked": 0.5, "avoided": -0.25, "unnamed": 0.1}, (2, 1)), ({"liked": 0.5}, (None, None))],
)
def test_spark_computes_the_offset_that_python_does(spark, reads, named):
    offset = Offset(user=0.8, item=0.4, constant=-0.3, share=0.6, **reads)
    asked = [("a", 4, "i"), ("new", 9, "j"), ("b", 9, "new")]
    counts, named = counted(spark, LOG, *asked), dict(zip(NAMED, named, strict=True))
    rows = events(spark, *asked).withColumns({name: F.lit(count).cast("int") for name, count in named.items()})
    rows = with_offset(rows, samples(spark, *LOG), offset)
    assert set(rows.columns) == {"user_id", "as_of", "item_id", "offset"}
    found = {(row.user_id, row.item_id): row.offset for row in rows.collect()}
    for (user, _, item), values in counts.items():
        row = named | dict(zip(COUNTS, values, strict=True))
        assert found[user, item] == pytest.approx(offset.log_odds(row), abs=1e-12)
