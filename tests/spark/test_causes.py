"""Each pending RecCoT has one cause: news, another template, another G, or a night that was not finished."""

from datetime import UTC, datetime

import pytest

from trackrec.reccots.causes import pending_by_cause

pytestmark = pytest.mark.spark

NIGHT = datetime(2024, 1, 9, tzinfo=UTC)
BEFORE = datetime(2024, 1, 8, tzinfo=UTC)


def causes(spark, pending, texts=(), histories=(), night=NIGHT):
    return pending_by_cause(
        spark.createDataFrame(pending, "prompt_key string, user_id string, as_of timestamp"),
        spark.createDataFrame([(key,) for key in texts], "prompt_key string"),
        spark.createDataFrame(list(histories), "user_id string, as_of timestamp, template_version string"),
        "new",
        night,
    )


def test_a_prompt_that_another_g_wrote_about_is_pending_by_the_model(spark):
    found = causes(spark, [("p", "u", NIGHT), ("q", "v", BEFORE)], texts=["p", "q", "q"])
    assert found == {"news": 0, "template": 0, "model": 2, "backlog": 0}


def test_a_history_of_a_night_before_is_backlog_where_there_are_nights(spark):
    assert causes(spark, [("p", "u", BEFORE)])["backlog"] == 1
    assert causes(spark, [("p", "u", BEFORE)], night=None)["news"] == 1


def test_the_first_history_under_another_template_is_pending_by_it_and_a_later_one_is_news(spark):
    histories = [
        ("u", BEFORE, "old"),
        ("u", NIGHT, "new"),
        ("v", BEFORE, "new"),
        ("v", NIGHT, "new"),
        ("w", NIGHT, "new"),
    ]
    found = causes(spark, [("p", "u", NIGHT), ("q", "v", NIGHT), ("r", "w", NIGHT)], histories=histories)
    assert found == {"news": 2, "template": 1, "model": 0, "backlog": 0}
