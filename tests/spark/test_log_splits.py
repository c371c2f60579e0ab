"""Where a log says itself what is for training, validation and test, windows follow it; or one line says why not."""

from datetime import UTC, datetime, timedelta

import pytest

from trackrec.histories.splits import split_of, with_split_window
from trackrec.runtime.errors import BadInputError
from trackrec.runtime.settings import WindowSettings

pytestmark = pytest.mark.spark

START = datetime(2024, 1, 1, tzinfo=UTC)
TRAIN, VALIDATION, TEST = "train", "validation", "test"
# Of each user the last event is for test, the one before it for validation; b begins where a has ended.
LEAVE_ONE_OUT = [
    ("a", 0, 1, TRAIN), ("a", 1, 0, TRAIN), ("a", 2, 1, VALIDATION), ("a", 3, 0, TEST),
    ("b", 4, 1, TRAIN), ("b", 5, 0, TRAIN), ("b", 6, 0, VALIDATION), ("b", 7, 1, TEST),
]  # fmt: skip
BY_TIME = [
    ("a", 0, 1, TRAIN), ("b", 1, 0, TRAIN), ("a", 2, 1, TRAIN), ("b", 3, 0, TRAIN),
    ("a", 4, 0, VALIDATION), ("b", 5, 1, VALIDATION), ("a", 6, 1, TEST), ("b", 7, 0, TEST),
]  # fmt: skip
HALVES = WindowSettings(fractions=(0.4, 0.4, 0.1, 0.1))


def at(seconds):
    return START + timedelta(seconds=seconds)


def events(spark, rows, known=lambda seconds: seconds):
    values = [(user, at(second), at(known(second)), label, split) for user, second, label, split in rows]
    columns = "user_id string, event_time timestamp, known_time timestamp, label int, split string"
    return spark.createDataFrame(values, columns)


def without(name):
    return [row for row in BY_TIME if row[3] != name]


def relabelled(name, label):
    return [(user, second, label if split == name else old, split) for user, second, old, split in BY_TIME]


def refused(spark, rows, settings=HALVES):
    with pytest.raises(BadInputError) as caught:
        split_of(events(spark, rows), settings)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_log_without_a_split_has_none(spark):
    assert split_of(events(spark, [(*row[:3], None) for row in BY_TIME]), HALVES) is None


def test_windows_are_those_of_the_split_and_train_is_cut_by_time(spark):
    frame = events(spark, LEAVE_ONE_OUT)
    split = split_of(frame, HALVES)
    windows = {row.event_time.astimezone(UTC): row.window for row in with_split_window(frame, split).collect()}
    assert [windows[at(second)] for second in range(8)] == [
        "alignment", "ctr_train", "ctr_validation", "ctr_test", "ctr_train", "ctr_train", "ctr_validation", "ctr_test",
    ]  # fmt: skip
    assert split.ctr_train == at(1)


def test_train_is_cut_in_the_ratio_of_the_first_two_fractions(spark):
    rows = [("a", second, second % 2, TRAIN) for second in range(100)]
    frame = events(spark, rows + BY_TIME[4:])
    cuts = {fractions: split_of(frame, WindowSettings(fractions=fractions)).ctr_train for fractions in (
        (0.5, 0.3, 0.1, 0.1), (0.2, 0.6, 0.1, 0.1), (0.0, 0.8, 0.1, 0.1), (0.0, 0.0, 0.5, 0.5),
    )}  # fmt: skip
    assert list(cuts.values()) == [at(62), at(24), at(0), at(0)]


def test_a_split_by_time_is_told_in_one_line(spark):
    split = split_of(events(spark, BY_TIME), HALVES)
    assert (split.late, split.late_for_user) == (0, 0)
    assert split.lines() == [
        "windows follow the log's split (4 train, 2 validation, 2 test); "
        "train is alignment before 2024-01-01 00:00:01 UTC"
    ]


def test_train_events_after_the_first_test_event_are_counted_and_told(spark):
    split = split_of(events(spark, LEAVE_ONE_OUT), HALVES)
    assert (split.late, split.late_for_user) == (2, 0)
    assert split.lines()[1].startswith(
        "the split does not follow time: 2 of 4 train events were known only after the first test event (2024-01-01 "
        "00:00:03 UTC), 0 of them after a test event of their user;"
    )


def test_train_events_after_a_test_event_of_their_user_are_counted_apart(spark):
    later = [("a", 8, 1, TRAIN), ("b", 6.5, 1, TRAIN)]
    split = split_of(events(spark, LEAVE_ONE_OUT + later), HALVES)
    assert (split.late, split.late_for_user) == (4, 1)


def test_what_counts_is_when_the_label_of_a_train_event_became_known(spark):
    split = split_of(events(spark, BY_TIME, known=lambda second: 9 if second == 3 else second), HALVES)
    assert (split.late, split.late_for_user) == (1, 1)


def test_a_split_that_some_events_lack_is_bad_input(spark):
    message = refused(spark, [*BY_TIME, ("a", 8, 1, None)])
    assert "1 of 9 usable rows have no split" in message


@pytest.mark.parametrize("name", [TRAIN, VALIDATION, TEST])
def test_a_split_without_rows_is_bad_input(spark, name):
    assert f"its split has no row for {name} (" in refused(spark, without(name))


def test_a_log_that_is_all_train_names_both_that_are_missing(spark):
    message = refused(spark, BY_TIME[:4])
    assert "no row for validation and test (4 train, 0 validation, 0 test of 4)" in message


@pytest.mark.parametrize("name", [TRAIN, VALIDATION, TEST])
@pytest.mark.parametrize("label", [0, 1])
def test_a_split_with_one_class_is_bad_input(spark, name, label):
    assert f"rows of the split {name} have label {label}" in refused(spark, relabelled(name, label))


def test_train_events_at_one_time_cannot_be_cut(spark):
    rows = [("a", 0, 1, TRAIN), ("b", 0, 0, TRAIN), *BY_TIME[4:]]
    assert "cannot be cut by time" in refused(spark, rows)
    no_alignment = WindowSettings(fractions=(0, 0.8, 0.1, 0.1))
    assert split_of(events(spark, rows), no_alignment).ctr_train == at(0)
