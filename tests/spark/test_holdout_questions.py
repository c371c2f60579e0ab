"""Which events of the hold-out V is measured on, and what it is shown of each."""

from datetime import UTC, datetime, timedelta

import pytest

from trackrec.feedback.holdout_questions import holdout_events, variants

pytestmark = pytest.mark.spark

START = datetime(2024, 1, 1, tzinfo=UTC)


def at(second):
    return START + timedelta(seconds=second)


def samples(spark, *rows):
    """(item, second, second at which it was known, window), all of user a who has a snapshot at 0."""
    values = [("a", item, at(second), at(known), 1, window, at(0)) for item, second, known, window in rows]
    columns = "user_id string, item_id string, event_time timestamp, known_time timestamp, label int, window string"
    return spark.createDataFrame(values, f"{columns}, as_of timestamp")


END = at(20)


def items_held_out(spark, *rows, end=END):
    columns = "user_id string, as_of timestamp, prompt_key string, n_liked bigint, n_events bigint"
    histories = spark.createDataFrame([("a", at(0), "p", 1, 2)], columns)
    events = holdout_events(samples(spark, *rows), histories, start=at(10), end=end, count=9)
    return {row.item_id for row in events.collect()}


def test_the_hold_out_is_of_the_alignment_window_from_its_start_on(spark):
    rows = [("before", 9, 9, "alignment"), ("in", 10, 10, "alignment"), ("later", 20, 20, "ctr_train")]
    assert items_held_out(spark, *rows) == {"in"}


def test_an_event_that_became_known_after_the_window_is_not_measured_on(spark):
    rows = [("in", 11, 19, "alignment"), ("late", 11, 20, "alignment")]
    assert items_held_out(spark, *rows) == {"in"}
    assert items_held_out(spark, *rows, end=None) == {"in", "late"}


def test_the_shuffled_text_is_of_another_user(spark):
    events = spark.createDataFrame(
        [("a", "p", at(1)), ("b", "q", at(1))], "user_id string, prompt_key string, event_time timestamp"
    )
    texts = spark.createDataFrame([("p", "of a"), ("q", "of b")], "prompt_key string, text string")
    shown = {
        name: {row.user_id: row.text for row in rows.collect()} for name, rows in variants(events, {"G": texts}).items()
    }
    assert shown == {
        "none": {"a": None, "b": None},
        "G": {"a": "of a", "b": "of b"},
        "shuffled": {"a": "of b", "b": "of a"},
    }
