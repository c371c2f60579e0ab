"""Matches of a target with its user's past, by hand on a few rows, and what must not reach them."""

import dataclasses

import numpy as np
import pyarrow as pa
import pytest

from trackrec.ctr.as_of import own_history
from trackrec.ctr.matching import attribute_match, centroid_matches, cosine
from trackrec.ctr.samples import Samples

HALF = np.sqrt(0.5)


def log(item, label, user=None, known=None):
    """An event a second."""
    rows = len(item)
    time = np.arange(rows) * 1_000_000
    return Samples(
        user=np.zeros(rows, dtype=int) if user is None else np.array(user),
        item=np.array(item) + 2,
        item_all=np.array(item),
        event_time=time,
        known_time=time if known is None else np.array(known) * 1_000_000,
        label=np.array(label),
        window=np.full(rows, "ctr_train", dtype=object),
        in_scope=np.ones(rows, dtype=bool),
        users=pa.array(["u", "v"]),
        items=pa.array([str(i) for i in range(max(item) + 1)]),
        n_items=max(item) + 3,
    )


def matches(samples, vectors):
    past = own_history(samples.user, samples.event_time, samples.known_time, 3)
    return centroid_matches(samples, past, np.asarray(vectors, dtype=np.float32))


def test_a_target_is_compared_with_the_centroids_of_liked_and_of_not_liked_items():
    vectors = [[1, 0], [0, 1], [-1, 0]]
    found = matches(log(item=[0, 1, 2, 0], label=[1, 1, 0, 1]), vectors)
    by_hand = [
        [0, 0, 0],  # nothing before it
        [0, 0, 0],  # item 1 at right angles to item 0, nothing disliked
        [-HALF, 0, -HALF],  # item 2 against the middle of items 0 and 1
        [HALF, -1, HALF + 1],  # item 0 against the same, and against item 2
    ]
    assert np.allclose(found, by_hand, atol=1e-6)


def test_the_centroid_is_of_the_history_alone():
    vectors = [[1, 0], [0, 1], [-1, 0], [0, -1]]
    found = matches(log(item=[0, 1, 1, 1, 1], label=[1, 1, 1, 1, 1]), vectors)
    assert found[4, 0] == pytest.approx(1)  # the fourth newest is beyond the three


def test_items_without_a_text_count_nothing_and_as_a_target_give_0():
    found = matches(log(item=[0, 1, 0, 1], label=[1, 1, 1, 1]), [[1, 0], [0, 0]])
    assert np.allclose(found[:, 0], [0, 0, 1, 0])


def test_more_rows_than_a_chunk_give_the_same(monkeypatch):
    random = np.random.default_rng(0)
    samples = log(item=random.integers(0, 5, 9), label=random.integers(0, 2, 9))
    vectors = random.standard_normal((5, 4))
    at_once = matches(samples, vectors)
    monkeypatch.setattr("trackrec.ctr.matching._CHUNK", 4)
    assert np.allclose(matches(samples, vectors), at_once, atol=1e-6)


def test_a_cosine_with_zeros_is_0():
    left = np.array([[1, 0], [0, 0], [2, 2], [0, 0]], dtype=np.float32)
    right = np.array([[1, 1], [1, 1], [-1, -1], [0, 0]], dtype=np.float32)
    assert np.allclose(cosine(left, right), [HALF, 0, -1, 0])


def test_the_attribute_match_is_the_shrunk_share_on_the_targets_attributes_minus_the_own_share():
    """Four events of one user: a Drama liked, a Comedy not, a Drama that is both, an item without attributes."""
    attributes = np.array([[1, 0], [0, 1], [1, 1], [0, 0]], dtype=np.float32)
    match = attribute_match(log(item=[0, 1, 2, 3], label=[1, 0, 1, 1]), attributes)
    # Before the third event 1 of 2 was liked: everybody's share (1 + 1) / (2 + 2), and the user's own is the same.
    drama, comedy = (1 + 5 * 0.5) / (1 + 5) - 0.5, (0 + 5 * 0.5) / (1 + 5) - 0.5
    assert match.shape == (4, 1)
    assert match[2, 0] == pytest.approx((drama + comedy) / 2, abs=1e-6)
    assert match[3, 0] == 0


def test_the_attribute_match_of_a_liked_attribute_is_positive_and_of_others_negative():
    attributes = np.array([[1, 0], [0, 1]], dtype=np.float32)
    match = attribute_match(log(item=[0, 1, 0, 1], label=[1, 0, 1, 0]), attributes)
    own = (1 + 5 * 0.5) / (2 + 5)
    assert match[2, 0] == pytest.approx((1 + 5 * own) / 6 - own, abs=1e-6)
    assert match[3, 0] < 0


def test_items_of_which_none_has_attributes_match_nothing():
    match = attribute_match(log(item=[0, 1, 0], label=[1, 0, 1]), np.zeros((2, 0), dtype=np.float32))
    assert match.tolist() == [[0], [0], [0]]


@pytest.mark.parametrize("row", range(6))
def test_neither_the_own_label_nor_one_that_became_known_later_reaches_a_match(row):
    """The third event's label becomes known only with the sixth event."""
    samples = log(item=[0, 1, 2, 0, 1, 2], label=[1, 0, 1, 1, 0, 0], known=[0, 1, 5, 3, 4, 5])
    vectors = np.random.default_rng(0).standard_normal((3, 4)).astype(np.float32)
    attributes = np.array([[1, 0], [0, 1], [1, 1]], dtype=np.float32)
    unseen = [i for i in range(6) if samples.known_time[i] >= samples.event_time[row]]
    label = samples.label.copy()
    label[unseen] = 1 - label[unseen]
    other = dataclasses.replace(samples, label=label)
    assert np.array_equal(matches(samples, vectors)[row], matches(other, vectors)[row])
    assert np.array_equal(attribute_match(samples, attributes)[row], attribute_match(other, attributes)[row])


def test_a_past_label_changes_both_matches():
    samples = log(item=[0, 1, 0], label=[1, 0, 1])
    other = dataclasses.replace(samples, label=np.array([0, 0, 1]))
    vectors, attributes = np.eye(2, dtype=np.float32), np.eye(2, dtype=np.float32)
    assert not np.array_equal(matches(samples, vectors)[2], matches(other, vectors)[2])
    assert not np.array_equal(attribute_match(samples, attributes)[2], attribute_match(other, attributes)[2])
