"""The slices of the test rows: which rows they hold, and an arm against plain on each."""

import numpy as np
import pyarrow as pa
import pytest

from trackrec.ctr.comparison import compare
from trackrec.ctr.results import ArmResult, GainRow, Measurement, Sizes
from trackrec.ctr.samples import Samples, WindowRows
from trackrec.ctr.slices import measure_share, measure_slices, slice_masks
from trackrec.runtime.errors import BadInputError
from trackrec.runtime.settings import CtrSettings


def log(user, item, known=None):
    """An event a second, sorted by user as samples are."""
    time = np.arange(len(user))
    return Samples(
        user=np.array(user),
        item=np.array(item) + 2,
        item_all=np.array(item),
        event_time=time,
        known_time=time if known is None else np.array(known),
        label=np.zeros(len(user), dtype=int),
        window=np.full(len(user), "ctr_test", dtype=object),
        in_scope=np.ones(len(user), dtype=bool),
        users=pa.array(["u", "v"]),
        items=pa.array([str(i) for i in range(max(item) + 1)]),
        n_items=9,
    )


def rows(train, test):
    return WindowRows(train, np.array([], dtype=int), test)


def test_an_items_events_are_counted_among_the_training_rows_alone():
    samples = log([0] * 70, [0] * 9 + [1] * 10 + [2] * 49 + [0, 1])
    masks = slice_masks(samples, rows(np.arange(68), np.array([68, 69, 20])))
    assert masks["items < 10"].tolist() == [True, False, False]
    assert masks["items < 50"].tolist() == [True, True, True]
    more = slice_masks(log([0] * 71, [0] * 50 + [1] * 21), rows(np.arange(50), np.array([50, 3])))
    assert more["items < 50"].tolist() == [True, False]


def test_a_users_events_are_those_known_strictly_before_the_row_in_any_window():
    samples = log([0] * 101 + [1] * 21, [0] * 122)
    masks = slice_masks(samples, rows(np.array([0]), np.array([99, 100, 101, 120, 121])))
    assert masks["users < 20"].tolist() == [False, False, True, True, False]
    assert masks["users >= 100"].tolist() == [False, True, False, False, False]


def test_what_was_not_known_at_the_row_does_not_count_for_its_user():
    known = [*range(19), 999, 20]
    masks = slice_masks(log([0] * 21, [0] * 21, known), rows(np.array([0]), np.array([20])))
    assert masks["users < 20"].tolist() == [True]


LABEL, USER = np.array([1, 0, 1, 0, 1, 0]), np.array([0, 0, 1, 1, 2, 2])
PLAIN = np.array([[0.3, 0.4, 0.6, 0.5, 0.4, 0.6], [0.4, 0.3, 0.6, 0.5, 0.4, 0.6]])
RIGHT = np.array([[0.9, 0.1, 0.8, 0.2, 0.7, 0.3], [0.9, 0.1, 0.8, 0.2, 0.7, 0.3]])


def test_an_arm_is_compared_with_its_reference_by_seed():
    (row,) = compare("train 10 %", LABEL, USER, PLAIN, {"reccot": RIGHT}, "DIN")
    assert (row.backbone, row.arm, row.slice, row.rows, row.users) == ("DIN", "reccot", "train 10 %", 6, 3)
    assert (row.arm_auc, row.reason) == (1.0, None)
    # Of 9 pairs: seed 1 has 3 right and 3 equal or wrong ones by half; both seeds are counted by hand below.
    first = sum((p > n) + 0.5 * (p == n) for p in PLAIN[0][LABEL == 1] for n in PLAIN[0][LABEL == 0]) / 9
    second = sum((p > n) + 0.5 * (p == n) for p in PLAIN[1][LABEL == 1] for n in PLAIN[1][LABEL == 0]) / 9
    assert row.reference_auc == pytest.approx((first + second) / 2)
    assert row.gain == pytest.approx(1 - (first + second) / 2)
    assert row.low < row.gain < row.high
    assert row.uauc_gain == pytest.approx(1 - (1 / 3 + 2 / 3) / 2)  # users 0 (wrong, then right), 1 right, 2 wrong
    assert row.logloss_change < 0


@pytest.mark.parametrize(
    ("rows", "reason"),
    [([], "no rows"), ([0, 2, 4], "one class only"), ([0, 1], "one user only, no interval")],
)
def test_rows_that_allow_no_figure_say_why(rows, reason):
    (row,) = compare("s", LABEL[rows], USER[rows], PLAIN[:, rows], {"reccot": RIGHT[:, rows]}, "DIN")
    assert row.reason == reason
    assert np.isnan(row.low)
    assert np.isnan(row.minimum_detectable)
    assert np.isnan(row.gain) == (reason != "one user only, no interval")


def test_predictions_of_other_rows_or_seeds_are_refused():
    for other in (RIGHT[:, :5], RIGHT[:1]):
        with pytest.raises(
            BadInputError, match=r"slice s: arm reccot has predictions \(\d, \d\).*its reference \(2, 6"
        ):
            compare("s", LABEL, USER, PLAIN, {"reccot": other}, "DIN")


def result(arm, seed, predicted):
    figures = {"test_auc": 0.5, "test_logloss": 0.6, "validation_auc": 0.5, "train_rows": 9, "test_rows": 6}
    return ArmResult(GainRow(arm=arm, seed=seed, backbone="DIN", auc_gain=0.0, **figures), predicted, 1.0)


def measurement(**predicted):
    """Each arm's predictions (seeds, rows)."""
    arms = [result(arm, seed, of_seeds[seed]) for seed in (0, 1) for arm, of_seeds in predicted.items()]
    return Measurement(CtrSettings(seeds=(0, 1)), Sizes(9, 9, 6, 3, 0), LABEL, USER, (), tuple(arms))


def test_every_arm_is_measured_on_every_slice_and_what_is_under_test_against_its_rivals():
    rows = measure_slices(measurement(plain=PLAIN, tallies=PLAIN, reccot=RIGHT), {"users < 20": USER < 2})
    assert [(row.slice, row.arm, row.rows) for row in rows] == [
        ("all", "tallies", 6),
        ("all", "reccot", 6),
        ("users < 20", "tallies", 4),
        ("users < 20", "reccot", 4),
        ("against tallies", "reccot", 6),
    ]
    assert [row.gain for row in rows[::4]] == [0.0, rows[1].gain]  # tallies predict as plain does here


def test_a_point_of_the_learning_curve_is_a_slice_of_all_test_rows():
    (row,) = measure_share(measurement(plain=PLAIN, reccot=RIGHT), 0.1)
    assert (row.slice, row.arm, row.rows, row.arm_auc) == ("train 10 %", "reccot", 6, 1.0)
