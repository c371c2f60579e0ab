"""Rewards and preferences, by hand on a few candidates."""

import pytest
from pyspark.sql import functions as F

from trackrec.feedback.preferences import preferences, ranked_groups, rewards
from trackrec.runtime.settings import FeedbackSettings

pytestmark = pytest.mark.spark

DEFAULT = FeedbackSettings()
CANDIDATE = "prompt_key string, user_id string, row_key string, sample_number int, status string, text string"


def candidates(spark, *rows):
    """(prompt_key, row_key, text[, status]); the sample number is the row's place."""
    values = [(r[0], f"user of {r[0]}", r[1], i, r[3] if len(r) > 3 else "ok", r[2]) for i, r in enumerate(rows)]
    return spark.createDataFrame(values, CANDIDATE)


def scores(spark, **by_key):
    """Rewards over two events each, or (reward, events)."""
    rows = [(key, *(score if isinstance(score, tuple) else (score, 2))) for key, score in by_key.items()]
    return spark.createDataFrame(rows, "row_key string, reward double, n_scored int")


def verdicts(spark, rows, settings=DEFAULT, **by_key):
    groups = ranked_groups(candidates(spark, *rows), scores(spark, **by_key), settings)
    return {row.prompt_key: row.verdict for row in groups.collect()}


def kept(spark, rows, settings=DEFAULT, **by_key):
    groups = ranked_groups(candidates(spark, *rows), scores(spark, **by_key), settings)
    return preferences(groups, settings).collect()


def test_a_reward_is_the_mean_of_p_where_liked_and_one_minus_p_where_not(spark):
    rows = [("a", 1, 0.9), ("a", 0, 0.4), ("a", 1, 0.2), ("b", 0, 1.0)]
    rewarded = rewards(spark.createDataFrame(rows, "row_key string, label int, p_yes double"))
    assert {r.row_key: (pytest.approx(r.reward), r.n_scored) for r in rewarded.collect()} == {
        "a": (pytest.approx((0.9 + 0.6 + 0.2) / 3), 3),
        "b": (0.0, 1),
    }


def test_the_best_candidate_is_chosen_and_the_others_rejected_best_first(spark):
    rows = [("p", "a", "A"), ("p", "b", "B"), ("p", "c", "C")]
    (row,) = kept(spark, rows, a=0.5, b=0.7, c=0.6)
    assert (row.prompt_key, row.user_id, row.chosen.row_key, row.chosen.text) == ("p", "user of p", "b", "B")
    assert [(c.row_key, c.reward) for c in row.rejected] == [("c", 0.6), ("a", 0.5)]
    assert row.gap == pytest.approx(0.2)


def test_only_the_lowest_are_rejected_where_the_settings_say_how_many(spark):
    rows = [("p", key, key.upper()) for key in "abcd"]
    two = FeedbackSettings(rejected=2)
    (row,) = kept(spark, rows, two, a=0.1, b=0.2, c=0.3, d=0.4)
    assert (row.chosen.row_key, [c.row_key for c in row.rejected]) == ("d", ["b", "a"])
    (row,) = kept(spark, rows, FeedbackSettings(rejected=9), a=0.1, b=0.2, c=0.3, d=0.4)
    assert [c.row_key for c in row.rejected] == ["c", "b", "a"]


def test_a_repeated_text_counts_once_as_its_first_sample(spark):
    rows = [("p", "a", "same"), ("p", "b", "same"), ("p", "c", "other")]
    (row,) = kept(spark, rows, a=0.5, b=0.9, c=0.1)
    assert (row.chosen.row_key, [c.row_key for c in row.rejected]) == ("a", ["c"])


def test_equal_rewards_rank_by_sample_number_however_the_rows_come(spark):
    rows = [("p", "z", "A"), ("p", "y", "B"), ("p", "x", "C")]
    settings = FeedbackSettings(min_gap=0)
    frame, scored = candidates(spark, *rows), scores(spark, x=0.5, y=0.5, z=0.5)
    for order in (F.col("sample_number"), F.desc("sample_number")):
        (row,) = preferences(ranked_groups(frame.orderBy(order), scored, settings), settings).collect()
        assert [row.chosen.row_key, *(c.row_key for c in row.rejected)] == ["z", "y", "x"]


def test_a_group_that_teaches_nothing_is_dropped_with_its_reason(spark):
    rows = [
        ("empty", "a", "", "empty"), ("empty", "b", "", "empty"),
        ("repeats", "c", "same"), ("repeats", "d", "same"),
        ("failed", "e", "text"), ("failed", "f", "", "empty"),
        ("unscored", "g", "one"), ("unscored", "h", "two"),
        ("fewer events", "m", "one"), ("fewer events", "n", "two"),
        ("close", "i", "one"), ("close", "j", "two"),
        ("good", "k", "one"), ("good", "l", "two", "cut"),
    ]  # fmt: skip
    settings = FeedbackSettings(min_gap=0.1)
    assert verdicts(
        spark, rows, settings, c=0.1, d=0.9, e=0.5, g=0.5, i=0.5, j=0.55, k=0.5, l=0.8, m=0.5, n=(0.9, 1)
    ) == {
        "empty": "all_empty",
        "repeats": "one_distinct",
        "failed": "one_distinct",
        "unscored": "not_scored",
        "fewer events": "not_scored",
        "close": "small_gap",
        "good": "kept",
    }
