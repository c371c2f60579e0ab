"""AUC, UAUC, log-loss, calibration and the paired interval, against scikit-learn and by hand."""

import numpy as np
import pytest
from sklearn.metrics import log_loss, roc_auc_score

from trackrec.metrics.bootstrap import (
    Resamples,
    _Ranking,
    bootstrap_interval,
    correlation,
    percentiles,
    resampled_mean,
    standard_error,
)
from trackrec.metrics.probability import calibration_error, logloss, row_losses
from trackrec.metrics.ranking import auc, uauc, user_areas


def noise(seed, rows=400):
    random = np.random.default_rng(seed)
    return random.integers(0, 2, rows), random.integers(0, 20, rows) / 20, random.integers(0, 4, rows).astype(float)


@pytest.mark.parametrize("seed", range(3))
def test_auc_and_logloss_are_those_of_sklearn_with_ties(seed):
    label, score, _ = noise(seed)
    assert auc(label, score) == pytest.approx(roc_auc_score(label, score))
    assert logloss(label, score * 0.9 + 0.05) == pytest.approx(log_loss(label, score * 0.9 + 0.05))


def test_auc_counts_pairs_and_ties_half():
    label, score = np.array([1, 1, 0, 0]), np.array([0.9, 0.4, 0.4, 0.1])
    assert auc(label, score) == pytest.approx((1 + 1 + 0.5 + 1) / 4)
    assert _Ranking(label, score).auc(np.array([1.0, 2.0, 1.0, 1.0])) == pytest.approx((1 + 1 + 2 * 0.5 + 2 * 1) / 6)


def test_auc_of_one_class_is_not_a_number():
    assert np.isnan(auc(np.ones(3, dtype=int), np.arange(3.0)))
    ranking = _Ranking(np.array([1, 0]), np.array([0.2, 0.1]))
    assert np.isnan(ranking.auc(np.array([1.0, 0.0])))  # the other class weighs nothing


@pytest.mark.parametrize("seed", range(3))
def test_the_ranking_of_the_bootstrap_gives_sklearns_auc_with_ties_and_weights(seed):
    label, score, weight = noise(seed)
    expected = roc_auc_score(label, score, sample_weight=weight)
    assert _Ranking(label, score).auc(weight) == pytest.approx(expected)
    assert np.isnan(_Ranking(np.ones(3, dtype=int), np.arange(3.0)).auc(np.ones(3)))


def test_uauc_of_users_with_one_label_only_is_not_a_number():
    assert np.isnan(uauc(np.array([1, 1, 0]), np.array([0.1, 0.2, 0.3]), np.array(["a", "a", "b"])))


def test_the_areas_of_users_are_those_of_sklearn_with_ties():
    label, score, _ = noise(0)
    user = np.random.default_rng(1).integers(0, 30, 400)
    areas, events = user_areas(label, score, user)
    assert areas == pytest.approx([roc_auc_score(label[user == u], score[user == u]) for u in np.unique(user)])
    assert events.tolist() == np.bincount(user).tolist()


def test_uauc_counts_users_by_their_rows_or_once_each():
    label = np.array([1, 0, 1, 0, 0, 1, 1])
    score = np.array([0.9, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6])
    user = np.array(["a", "a", "b", "b", "b", "c", "c"])  # areas 1 and 0; c has one label only
    assert uauc(label, score, user) == pytest.approx((2 * 1 + 3 * 0) / 5)
    assert uauc(label, score, user, weighted=False) == pytest.approx(0.5)


def test_a_certain_error_costs_a_finite_loss():
    assert logloss(np.array([0]), np.array([1.0])) == pytest.approx(-np.log(1e-7))


def test_the_last_bin_holds_probability_1_as_well():
    label, probability = np.array([0, 1]), np.array([1.0, 0.9])
    assert calibration_error(label, probability) == pytest.approx(abs(0.5 - 0.95))


def test_a_bin_holds_its_lower_edge():
    label, probability = np.array([0, 1]), np.array([0.5, 0.59])
    assert calibration_error(label, probability) == pytest.approx(abs(0.5 - 0.545))
    assert calibration_error(label, np.array([0.49, 0.59])) == pytest.approx((0.49 + 0.41) / 2)


def test_no_rows_give_no_figures():
    empty = np.array([])
    assert np.isnan([auc(empty, empty), uauc(empty, empty, empty), logloss(empty, empty)]).all()
    assert np.isnan(calibration_error(empty, empty))


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


def drawn_rows(user, draw):
    """Rows of a draw in which user u counts ``draw[u]`` times, each time as a user of its own: (rows, names)."""
    rows = [
        (row, f"{u}-{n}")
        for u, times in enumerate(draw)
        for n in range(int(times))
        for row in np.flatnonzero(user == u)
    ]
    return np.array([row for row, _ in rows]), np.array([name for _, name in rows])


@pytest.mark.parametrize("weighted", [True, False])
def test_every_figure_of_a_draw_is_that_of_its_rows(weighted):
    label, score, _ = noise(0)
    user = np.random.default_rng(1).integers(0, 30, 400)
    draws = Resamples(label, user)
    rows, names = drawn_rows(user, draws._draws[7])
    assert draws.auc(score)[7] == pytest.approx(auc(label[rows], score[rows]))
    assert draws.uauc(score, weighted=weighted)[7] == pytest.approx(
        uauc(label[rows], score[rows], names, weighted=weighted)
    )
    assert draws.logloss(score)[7] == pytest.approx(logloss(label[rows], score[rows]))
    other = score + np.random.default_rng(2).normal(size=400)
    assert draws.correlation(score, other)[7] == pytest.approx(np.corrcoef(score[rows], other[rows])[0, 1])
    assert correlation(score, other) == pytest.approx(np.corrcoef(score, other)[0, 1])


def test_what_is_always_the_same_correlates_with_nothing():
    label, score, _ = noise(0)
    assert np.isnan(correlation(score, np.zeros(400)))
    assert np.isnan(Resamples(label, np.arange(400)).correlation(score, np.zeros(400))).all()


def test_the_standard_error_of_a_mean_over_users_is_that_of_the_textbook():
    random = np.random.default_rng(0)
    probability = random.uniform(0.2, 0.8, 200)
    draws = Resamples(np.ones(200, dtype=int), np.arange(200)).logloss(probability)
    assert standard_error(draws) == pytest.approx(np.std(-np.log(probability), ddof=1) / np.sqrt(200), rel=0.1)


def test_a_mean_of_sums_of_users_is_drawn_as_the_mean_of_their_rows_is():
    label, score, _ = noise(0)
    _, user = np.unique(np.random.default_rng(1).integers(0, 30, 400), return_inverse=True)
    losses = np.bincount(user, weights=row_losses(label, score))
    found = resampled_mean(losses, np.bincount(user))
    assert found == pytest.approx(Resamples(label, user).logloss(score))
    assert np.isnan(resampled_mean(losses[:1], np.array([4]))).all()


def test_draws_without_a_number_have_no_interval():
    empty = Resamples(np.array([], dtype=int), np.array([]))
    for draws in (empty.auc(np.array([])), empty.uauc(np.array([])), empty.logloss(np.array([]))):
        assert np.isnan([*percentiles(draws), standard_error(draws)]).all()
