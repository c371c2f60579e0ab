"""A snapshot that is written again has the next revision; one that would rewrite what was published is marked."""

from datetime import UTC, datetime

import pytest
from pyspark.testing import assertDataFrameEqual

from trackrec.histories.revisions import published_histories, rewrites_past, with_revision

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
    ("user", "as_of", "marked"),
    [
        ("a", 2, True),  # in the place of a published one
        ("a", 3, True),  # a late event makes one between two
        ("a", 6, True),
        ("a", 7, False),  # news
        ("a", 1, False),  # of an earlier window
        ("b", 3, False),  # of a user of whom nothing is published
    ],
)
def test_what_takes_the_place_of_a_published_snapshot_or_comes_between_two_rewrites_the_past(
    spark, user, as_of, marked
):
    published = spark.createDataFrame([("a", day(2)), ("a", day(4)), ("a", day(6))], PLACE)
    (row,) = rewrites_past(spark.createDataFrame([(user, day(as_of))], PLACE), published).collect()
    assert row.rewrites_past == marked
