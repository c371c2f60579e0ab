"""A snapshot that is written again has the next revision; what would rewrite the published past is marked."""

from datetime import UTC, datetime

import pytest
from pyspark.testing import assertDataFrameEqual

from trackrec.histories.revisions import mark_past, published_histories, with_revision

pytestmark = pytest.mark.spark

PLACE = "user_id string, as_of timestamp"


def day(number: int) -> datetime:
    return datetime(2024, 1, number, tzinfo=UTC)


def test_a_snapshot_that_is_written_again_has_the_next_revision(spark):
    schema = f"{PLACE}, revision bigint"
    current = spark.createDataFrame([("a", day(1), None), ("a", day(2), 4)], schema)
    changed = spark.createDataFrame([("a", day(1)), ("a", day(2)), ("a", day(3)), ("b", day(2))], PLACE)
    expected = [("a", day(1), 1), ("a", day(2), 5), ("a", day(3), 1), ("b", day(2), 1)]
    assertDataFrameEqual(with_revision(changed, current), spark.createDataFrame(expected, schema))


def test_published_are_histories_of_this_policy_that_have_vectors(spark):
    schema = f"{PLACE}, policy string"
    current = [("a", day(1), "nightly"), ("a", day(2), "every_n_events"), ("a", day(3), "nightly")]
    vectors = [("a", day(1)), ("a", day(2)), ("b", day(3))]
    published = published_histories(
        spark.createDataFrame(current, schema), spark.createDataFrame(vectors, PLACE), "nightly"
    )
    assertDataFrameEqual(published, spark.createDataFrame([("a", day(1))], PLACE))


@pytest.mark.parametrize(
    ("user", "as_of", "replaces", "lies_between"),
    [
        ("a", 2, True, False),
        ("a", 3, False, True),  # a late event makes one, or a night that was missed
        ("a", 6, True, False),
        ("a", 7, False, False),  # news
        ("a", 1, False, False),  # of an earlier window
        ("b", 3, False, False),  # of a user of whom nothing is published
    ],
)
def test_of_the_past_is_what_replaces_a_published_snapshot_and_where_asked_what_lies_between(
    spark, user, as_of, replaces, lies_between
):
    published = spark.createDataFrame([("a", day(2)), ("a", day(4)), ("a", day(6))], PLACE)
    snapshot = spark.createDataFrame([(user, day(as_of))], PLACE)
    assert mark_past(snapshot, published, between=False).first().past == replaces
    assert mark_past(snapshot, published, between=True).first().past == (replaces or lies_between)
