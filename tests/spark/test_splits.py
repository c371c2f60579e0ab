from datetime import UTC, datetime, timedelta

import pytest
from pyspark.sql import functions as F

from trackrec.feedback.holdout import alignment_end, holdout_start, holdout_start_of
from trackrec.feedback.user_split import fold_of, in_share, is_validator_user
from trackrec.runtime.errors import BadInputError

pytestmark = pytest.mark.spark

START = datetime(2024, 1, 1, tzinfo=UTC)


def samples(spark, *rows):
    values = [(START + timedelta(seconds=second), window) for second, window in rows]
    return spark.createDataFrame(values, "event_time timestamp, window string")


def test_users_are_split_by_hash_in_about_the_share_asked_for_and_always_the_same_way(spark):
    users = spark.range(2000).select(F.concat(F.lit("u"), "id").alias("user_id"))
    of_v = is_validator_user(F.col("user_id"), 0.3)
    first = {row.user_id for row in users.where(of_v).collect()}
    assert 0.27 < len(first) / 2000 < 0.33
    assert {row.user_id for row in users.repartition(3).where(of_v).collect()} == first
    larger = {row.user_id for row in users.where(is_validator_user(F.col("user_id"), 0.5)).collect()}
    assert first < larger


def test_python_splits_users_and_time_as_spark_does(spark):
    users = [f"u{i}" for i in range(300)] + ["", "ü", "a b"]
    frame = spark.createDataFrame([(user,) for user in users], "user_id string")
    of_v = {row.user_id for row in frame.where(is_validator_user(F.col("user_id"), 0.4)).collect()}
    assert {user for user in users if in_share(user, 0.4)} == of_v
    folds = {row.user_id: row.fold for row in frame.withColumn("fold", fold_of(F.col("user_id"), 0.4)).collect()}
    assert folds == {user: 0 if user in of_v else 1 for user in users}
    assert {user for user in users if in_share(user, 0.4, salt="another")} != of_v
    for count in (3, 10, 97, 100):
        rows = [(7 * second % 101, "alignment") for second in range(count)]
        frame = samples(spark, *rows)
        times = [row.event_time.astimezone(UTC) for row in frame.collect()]
        for share in (0.1, 0.3):
            assert holdout_start_of(times, share) == holdout_start(frame, share)


def test_the_last_part_of_the_alignment_window_is_held_out(spark):
    rows = [*((second, "alignment") for second in range(100)), *((500 + s, "ctr_train") for s in range(900))]
    assert holdout_start(samples(spark, *rows), 0.1) == START + timedelta(seconds=89)


@pytest.mark.parametrize("rows", [[(1, "ctr_train")], [(1, "alignment"), (1, "alignment")]])
def test_a_window_that_cannot_be_cut_is_bad_input(spark, rows):
    with pytest.raises(BadInputError, match="too few events to hold any out"):
        holdout_start(samples(spark, *rows), 0.1)


def test_the_alignment_window_ends_with_the_first_event_of_a_later_one(spark):
    rows = [(1, "alignment"), (9, "ctr_test"), (7, "ctr_train")]
    assert alignment_end(samples(spark, *rows)) == START + timedelta(seconds=7)
    assert alignment_end(samples(spark, (1, "alignment"))) is None


def test_test_events_of_a_split_that_does_not_follow_time_do_not_end_the_alignment_window(spark):
    rows = [(1, "alignment"), (2, "ctr_test"), (3, "ctr_validation"), (5, "alignment"), (7, "ctr_train")]
    assert alignment_end(samples(spark, *rows)) == START + timedelta(seconds=7)
