"""Floors, AUC, the paired difference, and the words about it."""

import dataclasses

import numpy as np
import pyarrow as pa
import pytest
from sklearn.metrics import log_loss, roc_auc_score

from trackrec.ctr.floors import item_mean, item_mean_user_share
from trackrec.ctr.gain import Gain, auc, bootstrap_interval, control_verdict, floor_verdicts, logloss
from trackrec.ctr.samples import Samples


def noise(seed, rows=400):
    random = np.random.default_rng(seed)
    return random.integers(0, 2, rows), random.integers(0, 20, rows) / 20, random.integers(0, 4, rows).astype(float)


@pytest.mark.parametrize("seed", range(3))
def test_auc_and_logloss_are_those_of_sklearn_with_ties_and_weights(seed):
    label, score, weight = noise(seed)
    assert auc(label, score) == pytest.approx(roc_auc_score(label, score))
    assert auc(label, score, weight) == pytest.approx(roc_auc_score(label, score, sample_weight=weight))
    assert logloss(label, score * 0.9 + 0.05) == pytest.approx(log_loss(label, score * 0.9 + 0.05))


def test_auc_of_one_class_is_not_a_number():
    assert np.isnan(auc(np.ones(3, dtype=int), np.arange(3.0)))


def test_the_interval_excludes_0_only_where_the_arm_is_better():
    label, score, _ = noise(0)
    user = np.arange(400) // 10
    assert bootstrap_interval(label, user, score, score) == (0.0, 0.0)
    low, high = bootstrap_interval(label, user, score, score + label)
    assert 0 < low < high
    low, high = bootstrap_interval(label, user, score, np.random.default_rng(1).random(400))
    assert low < 0 < high


def test_the_interval_of_one_user_is_not_a_number():
    label, score, _ = noise(0)
    assert np.isnan(bootstrap_interval(label, np.zeros(400), score, score)).all()


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
