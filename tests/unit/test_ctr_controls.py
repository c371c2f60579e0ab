"""The two controls: what permuting keeps and what planting adds, and that the instrument finds what was planted."""

import dataclasses

import numpy as np
import pyarrow as pa
import pytest
import torch

from tests import ctr_log
from trackrec.ctr.controls import PLANTED_SHARE, permuted, planted, user_signal
from trackrec.ctr.experiment import measure_seed, read_experiment
from trackrec.ctr.features import SnapshotVectors, Vectors
from trackrec.ctr.samples import Samples, WindowRows
from trackrec.metrics.ranking import auc
from trackrec.runtime.settings import CtrSettings
from trackrec.tables.lake import Lake

USERS, TRAINED, TESTED = 240, 30, 10  # rows of each user


def snapshots_of(user, size=3):
    """Snapshots whose vectors say whose they are, and which of that user's."""
    user = np.array(user)
    place = np.array([np.sum(user[:i] == u) for i, u in enumerate(user)])
    values = np.stack([user, place, np.zeros(len(user))][:size], axis=1).astype(np.float32)
    return SnapshotVectors({"liked": Vectors(values, np.ones(len(user), bool))}, user, np.arange(len(user)), "v1")


@pytest.mark.parametrize("seed", range(5))
def test_no_user_keeps_their_own_vectors(seed):
    user = [0, 0, 1, 2, 2, 2, 3, 4]
    values = permuted(snapshots_of(user), seed).vectors["liked"].values
    assert (values[:, 0] != user).all()


def test_all_snapshots_of_a_user_get_those_of_one_other_user():
    user = np.repeat(np.arange(6), 3)
    values = permuted(snapshots_of(user), 1).vectors["liked"].values
    partners = [set(values[user == u, 0]) for u in range(6)]
    assert [len(partner) for partner in partners] == [1] * 6
    assert set.union(*partners) == set(range(6))  # each user's vectors are used: the same geometry
    assert values[:, 1].tolist() == [0, 1, 2] * 6


def test_a_user_with_more_snapshots_than_the_other_has_gets_the_last_again():
    values = permuted(snapshots_of([0, 0, 0, 1]), 0).vectors["liked"].values
    assert values.tolist() == [[1, 0, 0], [1, 0, 0], [1, 0, 0], [0, 0, 0]]


def test_a_missing_part_goes_with_its_vector():
    snapshots = snapshots_of([0, 1])
    liked = Vectors(snapshots.vectors["liked"].values, np.array([True, False]))
    moved = permuted(SnapshotVectors({"liked": liked}, snapshots.user, snapshots.snapshot), 0).vectors["liked"]
    assert moved.present.tolist() == [False, True]


def test_permuting_depends_on_the_seed_alone_and_keeps_who_joins_what():
    snapshots = snapshots_of(np.arange(50))
    first, again, other = (permuted(snapshots, seed) for seed in (1, 1, 2))
    assert np.array_equal(first.vectors["liked"].values, again.vectors["liked"].values)
    assert not np.array_equal(first.vectors["liked"].values, other.vectors["liked"].values)
    assert first.snapshot is snapshots.snapshot
    assert first.version is None


@pytest.fixture(scope="module")
def log():
    """240 users whose taste differs; plain knows nothing of it."""
    random = np.random.default_rng(0)
    user = np.repeat(np.arange(USERS), TRAINED + TESTED)
    label = (random.random(len(user)) < 1 / (1 + np.exp(-random.normal(0, 0.5, USERS)[user]))).astype(int)
    window = np.tile(np.repeat(["ctr_train", "ctr_test"], [TRAINED, TESTED]), USERS).astype(object)
    time = np.tile(np.arange(TRAINED + TESTED), USERS)
    plain = np.clip(0.5 + 0.1 * random.standard_normal(len(user)) + 0.1 * (label - 0.5), 0.01, 0.99)
    names = pa.array([str(u) for u in range(USERS)])
    item = np.zeros(len(user), dtype=int)
    rows = np.ones(len(user), dtype=bool)
    return Samples(user, item + 2, item, time, time, label, window, rows, names, pa.array(["i"]), 3), plain


def rows_of(samples):
    return WindowRows(*(np.flatnonzero(samples.window == f"ctr_{part}") for part in ("train", "validation", "test")))


@pytest.mark.parametrize("seed", range(3))
def test_the_signal_is_worth_what_was_asked_for(log, seed):
    samples, plain = log
    signal = user_signal(samples, plain, rows_of(samples), seed)
    assert signal.worth == pytest.approx(0.010, abs=0.002)
    assert signal.of_user.shape == (USERS,)
    assert (signal.of_user.mean(), signal.of_user.std()) == pytest.approx((0, 1), abs=1e-9)


def test_the_worth_is_the_auc_of_plains_logit_with_a_weight_fitted_on_training_rows(log):
    samples, plain = log
    rows = rows_of(samples)
    train, test = rows.train, rows.test
    signal = user_signal(samples, plain, rows, 1)
    logit = np.log(plain / (1 - plain))
    weights = np.linspace(0, 1, 2001)
    p = 1 / (1 + np.exp(-(logit[train] + weights[:, None] * signal.of_user[samples.user[train]])))
    likelihood = np.where(samples.label[train] == 1, np.log(p), np.log(1 - p)).sum(axis=1)
    with_signal = logit[test] + weights[likelihood.argmax()] * signal.of_user[samples.user[test]]
    label = samples.label[test]
    assert signal.worth == pytest.approx(auc(label, with_signal) - auc(label, plain[test]), abs=2e-4)


def test_the_signal_holds_in_the_rows_that_decide_when_to_stop(log):
    """In validation, half of the test rows with other labels, nothing of the user's taste is left."""
    samples, plain = log
    rows = rows_of(samples)
    validation, test = rows.test[::2], rows.test[1::2]
    label = samples.label.copy()
    label[validation] = np.random.default_rng(1).integers(0, 2, len(validation))
    samples = dataclasses.replace(samples, label=label)
    missed = label[validation] - plain[validation]
    agreement = []
    for known in (validation, validation[:0]):
        signal = user_signal(samples, plain, WindowRows(rows.train, known, test), 1, worth=0.04)
        agreement.append(np.corrcoef(signal.of_user[samples.user[validation]], missed)[0, 1])
    assert agreement[0] > agreement[1] + 0.05


def test_a_signal_that_cannot_be_worth_that_much_says_what_it_is_worth(log):
    samples, plain = log
    assert 0.01 < user_signal(samples, plain, rows_of(samples), 1, worth=0.5).worth < 0.5


def test_the_worth_counts_only_rows_that_join_a_vector_with_the_signal(log):
    samples, plain = log
    carried = samples.user < USERS // 2
    of_half = user_signal(samples, plain, rows_of(samples), 1, worth=0.05, carried=carried)
    assert 0 < of_half.worth < user_signal(samples, plain, rows_of(samples), 1, worth=0.05).worth
    assert user_signal(samples, plain, rows_of(samples), 1, carried=carried & False).worth == 0


def test_predictions_of_0_and_1_do_not_break_the_signal(log):
    samples, plain = log
    certain = np.where(np.arange(len(plain)) % 100 == 0, np.round(plain), plain)
    assert np.isfinite(user_signal(samples, certain, rows_of(samples), 1).worth)


def test_the_signal_depends_on_the_seed_alone(log):
    samples, plain = log
    first, again, other = (user_signal(samples, plain, rows_of(samples), seed).of_user for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_the_planted_signal_is_a_tenth_of_the_carriers_variance_whoever_has_most_snapshots(log):
    samples, plain = log
    signal = user_signal(samples, plain, rows_of(samples), 1)
    user = np.repeat(np.arange(USERS), np.where(signal.of_user > 1, 9, 1))
    values = np.random.default_rng(3).standard_normal((len(user), 64)).astype(np.float32) + 5
    present = np.arange(len(user)) % 7 > 0
    vectors = {name: Vectors(values * present[:, None], present) for name in ("prompt", "liked")}
    snapshots = SnapshotVectors(vectors, user, np.arange(len(user)))
    moved, carrier = permuted(snapshots, 1).vectors, planted(snapshots, signal, "liked", 1).vectors
    assert np.array_equal(carrier["prompt"].values, moved["prompt"].values)
    there = moved["liked"].present
    assert (carrier["liked"].values[~there] == 0).all()
    before, after = moved["liked"].values[there], carrier["liked"].values[there]
    assert np.allclose(after.mean(axis=0), before.mean(axis=0), atol=1e-3)
    added = after - before.mean(axis=0) - np.sqrt(1 - PLANTED_SHARE) * (before - before.mean(axis=0))
    assert added.var(axis=0).sum() / before.var(axis=0).sum() == pytest.approx(0.1, abs=1e-3)
    direction = added[np.abs(added).sum(axis=1).argmax()]
    of_snapshot = added @ (direction / np.linalg.norm(direction))
    assert abs(np.corrcoef(of_snapshot, signal.of_user[user[there]])[0, 1]) == pytest.approx(1, abs=1e-4)


LOG_USERS, EVENTS = 4_000, (1, 4, 3, 4)


@pytest.fixture(scope="module")
def lake(tmp_path_factory):
    """4,000 users whose taste nobody can know from at most ten events each; their vectors say nothing of it."""
    root, random = tmp_path_factory.mktemp("lake"), np.random.default_rng(0)
    item = random.integers(0, 15, (LOG_USERS, sum(EVENTS)))
    logit = random.normal(0, 1, (LOG_USERS, 1)) + random.normal(0, 0.8, 15)[item]
    label = (random.random(item.shape) < 1 / (1 + np.exp(-logit))).astype(int)
    size = (LOG_USERS, 64)
    encoded = {"prompt": np.full(size, 0.2), "reccot": 0.2 + random.standard_normal(size)}
    ctr_log.write(
        root,
        samples=ctr_log.samples(LOG_USERS, EVENTS, label, item),
        reccot_vectors=ctr_log.snapshots(np.arange(LOG_USERS), np.full(LOG_USERS, 50), **encoded),
        item_vectors=ctr_log.items(random.standard_normal((15, 8))),
    )
    return Lake(str(root))


def test_the_instrument_finds_a_planted_signal_and_nothing_in_permuted_vectors(lake):
    """Of +.0100 planted +.0080 was found over these two seeds, and +.0010 in permuted vectors; 20 s on one thread."""
    settings = CtrSettings(
        arms=("plain", "planted", "permuted"), components=8, adaptor_dim=2, history=4, embedding_dim=4,
        hidden_units=(16,), batch_size=128, learning_rate=5e-3, adaptor_learning_rate=5e-3,
    )  # fmt: skip
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        experiment = read_experiment(settings, lake)
        rows = [result.row for seed in (1, 2) for result in measure_seed(experiment, seed)]
    finally:
        torch.set_num_threads(threads)
    gain = {arm: np.mean([row.auc_gain for row in rows if row.arm == arm]) for arm in settings.arms}
    worth = np.mean([row.planted_worth for row in rows if row.arm == "planted"])
    assert worth == pytest.approx(0.010, abs=0.002)
    assert gain["planted"] >= 0.6 * worth
    assert abs(gain["permuted"]) < 0.003
    assert {row.planted_worth for row in rows if row.arm != "planted"} == {None}
