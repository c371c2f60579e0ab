"""Whether the interval of a gain and what it could detect hold: many repetitions of a test whose truth is known."""

import numpy as np
import pytest

from trackrec.ctr.comparison import Difference, Figure
from trackrec.ctr.gain import Gain
from trackrec.metrics import bootstrap

REPETITIONS, USERS, EVENTS = 250, 50, 12
EVERY_ROW_ONCE = np.ones(USERS * EVENTS)


def figure(label, draws, logits):
    """AUC of predictions (seeds, rows): of each seed, and of their mean in each draw."""
    by_seed = [bootstrap._Ranking(label, logit).auc(EVERY_ROW_ONCE) for logit in logits]
    return Figure(np.array(by_seed), draws.auc((1 / (1 + np.exp(-logits))).mean(axis=0)))


def repetition(random, seeds, user_noise, seed_noise):
    """A test of its own users, and networks of their own seeds: the gain of an arm that sees more than plain does.

    Users profit unequally by ``user_noise``; the networks of a seed see more or less, as a whole, by ``seed_noise``.
    """
    user = np.repeat(np.arange(USERS), EVENTS)
    signal, hidden = random.normal(size=(2, len(user)))
    label = (random.random(len(user)) < 1 / (1 + np.exp(-signal - hidden))).astype(int)
    profit = random.normal(0.1, user_noise, USERS)[user] + random.normal(0, seed_noise, seeds)[:, None]
    draws = bootstrap.Resamples(label, user)
    plain, arm = figure(label, draws, np.tile(signal, (seeds, 1))), figure(label, draws, signal + profit * hidden)
    return arm.by_seed - plain.by_seed, Difference.of(arm, plain)


def is_gain(by_seed, difference, shift):
    """Whether the repetition shows a gain where the truth lies ``shift`` higher."""
    return Gain("arm", tuple(by_seed + shift), (difference.low + shift, difference.high + shift)).is_gain


@pytest.mark.parametrize(
    ("seeds", "user_noise", "seed_noise"),
    [(5, 0.2, 0.0), (5, 0.1, 0.07), (10, 0.0, 0.15)],
    ids=["mostly of users", "of both", "mostly of seeds"],
)
def test_a_gain_of_the_size_that_can_be_detected_is_detected_in_about_80_percent(
    seeds, user_noise, seed_noise, monkeypatch
):
    monkeypatch.setattr(bootstrap, "RESAMPLES", 200)
    random = np.random.default_rng(0)
    tests = [repetition(random, seeds, user_noise, seed_noise) for _ in range(REPETITIONS)]
    truth = np.mean([difference.mean for _, difference in tests])
    size = np.mean([difference.minimum_detectable for _, difference in tests])
    detected = np.mean([is_gain(*test, size - truth) for test in tests])
    imagined = np.mean([is_gain(*test, -truth) for test in tests])
    assert 0.70 < detected < 0.90
    assert imagined < 0.05  # 2.5 %, give or take what 250 repetitions allow
