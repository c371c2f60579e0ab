"""A loop is known by its data: any row that differs makes another, no order of rows does."""

from datetime import UTC, datetime, timedelta

import pytest
from pyspark.sql import functions as F

from trackrec.feedback.loop_data import content_digest, loop_data

pytestmark = pytest.mark.spark

START = datetime(2024, 1, 1, tzinfo=UTC)
ROWS = [("a", f"i{second}", second, second, second % 2, "alignment") for second in range(9)]
LATER = ("a", "i", 20, 20, 1, "ctr_train")


def data_of(spark, *rows, title="Heat", prompt_key="p", other_histories=()):
    columns = (
        "user_id string, item_id string, event_time timestamp, known_time timestamp, label int, window string, "
        "as_of timestamp"
    )
    values = [
        (user, item, START + timedelta(seconds=second), START + timedelta(seconds=known), label, window, START)
        for user, item, second, known, label, window in rows
    ]
    histories = [("a", START, prompt_key), *other_histories]
    histories = spark.createDataFrame(histories, "user_id string, as_of timestamp, prompt_key string")
    items = spark.createDataFrame(
        [("i0", title, ["Drama"]), ("i", title, None)], "item_id string, title string, attributes array<string>"
    )
    return loop_data(spark.createDataFrame(values, columns), histories, items, 0.3)


def test_a_log_with_one_more_event_is_another_loop(spark):
    assert data_of(spark, *ROWS) != data_of(spark, *ROWS, ("b", "i0", 3, 3, 1, "alignment"))


def test_a_corrected_label_or_title_a_later_arrival_and_another_history_are_another_loop(spark):
    data = data_of(spark, *ROWS)
    corrected = ("a", "i0", 0, 0, 1, "alignment")
    late = ("a", "i0", 0, 5, 0, "alignment")
    assert data != data_of(spark, corrected, *ROWS[1:])
    assert data != data_of(spark, late, *ROWS[1:])
    assert data != data_of(spark, *ROWS, title="Heat (1995)")
    assert data != data_of(spark, *ROWS, prompt_key="q")


def test_a_history_that_no_event_of_the_window_joins_is_no_part_of_it(spark):
    night, stranger = ("a", START + timedelta(days=9), "n"), ("z", START, "z")
    assert data_of(spark, *ROWS) == data_of(spark, *ROWS, other_histories=[night, stranger])


def test_the_boundaries_are_part_of_it_and_later_events_are_not(spark):
    data = data_of(spark, *ROWS, LATER)
    assert data != data_of(spark, *ROWS, ("a", "i", 19, 19, 1, "ctr_train"))
    assert data == data_of(spark, *ROWS, LATER, ("b", "i", 30, 30, 1, "ctr_test"))


def test_the_order_of_rows_does_not_matter_and_their_number_does(spark):
    rows = spark.range(7)
    digest = content_digest(rows, ("id",))
    assert content_digest(rows.orderBy(F.desc("id")).repartition(3), ("id",)) == digest
    assert content_digest(rows.union(spark.createDataFrame([(9,), (9,)], "id bigint")), ("id",)) != digest
    assert content_digest(spark.range(0), ("id",)).startswith("0:")
