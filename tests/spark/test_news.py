"""Who has news: whatever a user's rows say otherwise than last night, and nothing else."""

from datetime import UTC, datetime

import pytest

from trackrec.histories.news import changed_items, item_digests, user_logs, users_with_news
from trackrec.histories.sources.cleaning import checked_interactions
from trackrec.runtime.settings import SourceSettings

pytestmark = pytest.mark.spark

RAW = "user_id string, item_id string, event_time string, available_time string, rating string, label int"
LAST, NIGHT = datetime(2024, 1, 8, tzinfo=UTC), datetime(2024, 1, 9, tzinfo=UTC)
OLD = ("u", "i", "2024-01-01", None, "5", None)


def logs(spark, rows, since=LAST, changed=None):
    checked = checked_interactions(spark.createDataFrame(rows, RAW), SourceSettings())
    return user_logs(checked, NIGHT, since, changed)


def with_news(spark, before, now):
    stored = logs(spark, before, since=None).select("user_id", "digest")
    return {row.user_id for row in users_with_news(logs(spark, now), stored).collect()}


def test_rows_in_another_order_are_no_news(spark):
    other = ("u", "j", "2024-01-02", None, "2", None)
    assert with_news(spark, [OLD, other], [other, OLD]) == set()


@pytest.mark.parametrize(
    "now",
    [
        [("u", "i", "2024-01-01", None, "4", None)],
        [("u", "i", "2024-01-01", None, None, 1)],
        [("u", "i", "2024-01-01", "2024-01-02", "5", None)],
        [OLD, OLD],
        [OLD, ("u", "j", "not a time", None, "5", None)],
    ],
    ids=["corrected", "in another column", "known later", "twice", "a faulty row more"],
)
def test_a_row_that_says_something_else_is_news(spark, now):
    assert with_news(spark, [OLD], now) == {"u"}


def test_two_equal_rows_that_become_two_other_equal_rows_are_news(spark):
    other = ("u", "j", "2024-01-01", None, "5", None)
    assert with_news(spark, [OLD, OLD], [other, other]) == {"u"}


def test_an_event_that_the_log_held_before_its_night_is_news_in_that_night(spark):
    early = ("u", "i", "2024-01-08T12:00:00Z", None, "5", None)
    assert with_news(spark, [early], [early]) == {"u"}
    late = ("v", "i", "2024-01-09T12:00:00Z", None, "5", None)
    assert with_news(spark, [late], [late]) == set()


def test_a_row_without_a_user_is_news_of_nobody_in_particular(spark):
    nobody = (" ", "i", "2024-01-01", None, "5", None)
    assert with_news(spark, [OLD], [OLD, nobody]) == {""}


def test_figures_count_faulty_rows_and_see_nothing_at_or_after_the_night(spark):
    rows = [OLD, ("u", "i", "2024-01-09", None, "5", None), ("u", None, "2024-01-02", None, "5", None)]
    (row,) = logs(spark, rows).collect()
    assert (row.rows, row.faulty) == (3, 1)
    assert (row.first_time.astimezone(UTC).day, row.newest_time.astimezone(UTC).day) == (1, 1)


def test_who_met_an_item_that_is_new_other_or_gone_has_news(spark):
    items = "item_id string, title string, titled boolean, attributes array<string>, year int, description string"
    stored = item_digests(
        spark.createDataFrame([("i", "A", True, [], None, None), ("j", "B", True, [], None, None)], items)
    )
    now = item_digests(
        spark.createDataFrame([("i", "A", True, [], 1999, None), ("k", "C", True, [], None, None)], items)
    )
    changed = changed_items(now, stored)
    assert {row.item_id for row in changed.collect()} == {"i", "j", "k"}
    assert {row.item_id: row.digest for row in changed.collect()}["j"] == ""
    rows = [OLD, ("v", "l", "2024-01-01", None, "5", None)]
    met = {row.user_id: row.met_changed for row in logs(spark, rows, changed=changed).collect()}
    assert met == {"u": True, "v": False}
