"""Floors, the paired difference, the words about it, and the printed table."""

import dataclasses

import numpy as np
import pyarrow as pa
import pytest

from trackrec.ctr.floors import item_mean, item_mean_user_share
from trackrec.ctr.gain import Gain, control_verdict, floor_verdicts, paired_gains
from trackrec.ctr.results import ArmResult, GainRow, Measurement, Sizes
from trackrec.ctr.samples import Samples
from trackrec.report.gain import gain_table
from trackrec.runtime.settings import CtrSettings


@pytest.mark.parametrize(
    ("differences", "interval", "words"),
    [
        ((0.0021, 0.0064, -0.0022), (-0.003, 0.007), "+0.0021 ± 0.0043 over 3 seeds"),
        ((0.0021, 0.0064, -0.0022), (-0.003, 0.007), "within noise, no gain shown"),
        ((0.0110, 0.0100, 0.0120), (-0.002, 0.020), "within noise, no gain shown"),
        ((0.0110, 0.0100, 0.0120), (0.002, 0.020), ": a gain"),
        ((-0.001, -0.002, 0.001), (-0.004, 0.003), "negative, within noise, no gain shown"),
        ((-0.011, -0.010, -0.012), (-0.02, -0.002), "a loss, the features make the model worse"),
        ((0.05,), (0.01, 0.09), "one seed: its spread is unknown, no gain shown"),
    ],
)
def test_a_gain_is_called_by_its_name(differences, interval, words):
    verdict = Gain("reccot", differences, interval).verdict()
    assert verdict.startswith("reccot: ")
    assert words in verdict


def test_a_network_below_a_floor_is_said_to_be_no_serious_baseline():
    floors = {"item_mean": 0.69, "item_mean_user_share": 0.738}
    assert floor_verdicts({"plain": [0.715, 0.725], "reccot": [0.75]}, floors) == [
        "plain: 0.7200 is below the floor item_mean_user_share (0.7380): this network is not yet a serious baseline"
    ]


def test_a_gain_no_larger_than_its_controls_earns_nothing():
    def gain(arm, mean):
        return Gain(arm, (mean, mean), (0, 0))

    gains = {g.arm: g for g in (gain("random_vector", 0.002), gain("two_numbers", 0.004), gain("reccot", 0.003))}
    assert control_verdict(gains) == "reccot brings no more than its control two_numbers: the texts earn nothing"
    assert control_verdict({**gains, "reccot": gain("reccot", 0.005)}) is None


@pytest.fixture
def log():
    time = np.array([1, 2, 3, 4, 5, 6])
    return Samples(
        user=np.zeros(6, dtype=int),
        item=np.array([2, 2, 3, 2, 3, 1]),
        item_all=np.array([0, 0, 1, 0, 1, 2]),
        event_time=time,
        known_time=time,
        label=np.array([1, 0, 1, 1, 0, 1]),
        window=np.array(["alignment", "ctr_train", "ctr_train", "ctr_train", "ctr_test", "ctr_test"], dtype=object),
        in_scope=np.ones(6, dtype=bool),
        users=pa.array(["u"]),
        n_items=4,
    )


def test_the_item_mean_is_shrunk_and_made_of_fitted_rows_only(log):
    overall = 2 / 3  # rows 1, 2 and 3
    means = item_mean(log, np.array([1, 2, 3]))
    assert means[0] == pytest.approx((1 + 5 * overall) / (2 + 5))
    assert means[4] == pytest.approx((1 + 5 * overall) / (1 + 5))
    assert means[5] == pytest.approx(overall)  # an item without a fitted row


def test_the_user_share_adds_what_was_known_strictly_before_the_event(log):
    overall = 2 / 3
    share = (3 + 5 * overall) / (4 + 5)  # rows 0 to 3, the alignment window included
    fitted = np.array([1, 2, 3])
    expected = item_mean(log, fitted)[4] + 0.7 * (share - overall)
    assert item_mean_user_share(log, fitted)[4] == pytest.approx(expected)


def test_a_floor_does_not_see_the_labels_it_is_tested_on(log):
    fitted, label = np.array([1, 2, 3]), log.label.copy()
    label[4:] = 1 - label[4:]
    other = dataclasses.replace(log, label=label)
    assert item_mean_user_share(log, fitted)[4] == item_mean_user_share(other, fitted)[4]
    assert np.array_equal(item_mean(log, fitted), item_mean(other, fitted))


def row(arm, **columns):
    figures = {"test_auc": 0.7, "test_logloss": 0.6, "validation_auc": 0.71, "train_rows": 9, "test_rows": 4}
    return GainRow(**{"arm": arm, "backbone": "DIN", **figures, **columns})


def measurement(version="v1", late=0):
    predicted = {"plain": [0.2, 0.6, 0.4, 0.8], "reccot": [0.1, 0.9, 0.2, 0.8]}
    arms = []
    for seed in (1, 2):
        arms += [
            ArmResult(row("plain", seed=seed, auc_gain=0.0), np.array(predicted["plain"]), 1, 2.0),
            ArmResult(
                row("reccot", seed=seed, auc_gain=0.01 * seed, coverage=0.5, feature_version=version),
                np.array(predicted["reccot"]),
                2,
                2.0,
            ),
        ]
    return Measurement(
        settings=CtrSettings(seeds=(1, 2)),
        sizes=Sizes(9, 5, 4, 2, late),
        label=np.array([0, 1, 1, 0]),
        user=np.array([0, 0, 1, 1]),
        floors=(row("item_mean", backbone="floor"), row("item_mean_user_share", backbone="floor", test_auc=0.6)),
        arms=tuple(arms),
    )


def test_gains_are_paired_by_seed_and_plain_has_none():
    gains = paired_gains(measurement())
    assert list(gains) == ["reccot"]
    assert gains["reccot"].differences == (0.01, 0.02)


def test_the_table_has_a_line_an_arm_and_floor_with_aligned_columns():
    lines = gain_table(measurement()).splitlines()
    assert lines[:2] == [
        "DIN, adaptor hea, 2 seeds, features v1",
        "train 9 rows of all users; validation 5 and test 4 rows of users in scope (2 in test)",
    ]
    head, floor, _, plain, reccot = lines[3:8]
    at = head.index("gain on plain")
    assert (floor[at : at + 5], plain[at], reccot[at : at + 16]) == ("floor", "-", "+0.0150 ± 0.0071")
    assert reccot.endswith("50.0%")


def test_rows_left_out_are_shown_where_there_are_any():
    assert "left out" not in gain_table(measurement())
    assert "left out 1,234 train and validation rows" in gain_table(measurement(late=1234))


def test_escape_sequences_of_a_version_never_reach_the_terminal():
    assert "features v\\x1b[31m1" in gain_table(measurement("v\x1b[31m1"))
