"""What the oracles of bench.headroom see, and what they may not see."""

import numpy as np

from bench.headroom import Groups, planted_gains, with_oracle
from trackrec.metrics.ranking import auc

ROWS = np.arange(4000)
USER = ROWS % 40
PLAIN = np.full(len(ROWS), 0.5)


def gain(label, groups, *, taste=False):
    return auc(label, with_oracle(PLAIN, label, USER, groups, taste=taste)) - 0.5


def drawn(probability):
    return (np.random.default_rng(0).random(len(ROWS)) < probability).astype(int)


def test_errors_that_a_users_rows_have_in_common_are_seen():
    assert gain(drawn(np.where(USER < 20, 0.8, 0.2)), Groups(ROWS, USER)) > 0.25


def test_labels_by_chance_bring_nothing_although_the_oracle_looks_at_answers():
    assert abs(gain(drawn(0.5), Groups(ROWS, USER))) < 0.03


def test_taste_leaves_out_how_much_a_user_likes_things_in_general():
    label, genre = drawn(np.where(USER < 20, 0.8, 0.2)), (ROWS // 40) % 2
    assert gain(label, Groups(ROWS, USER * 2 + genre), taste=True) < 0.03


def test_taste_is_seen_where_one_user_likes_what_another_does_not():
    genre = (ROWS // 40) % 2
    label = drawn(np.where(genre == USER % 2, 0.8, 0.2))
    assert gain(label, Groups(ROWS, USER * 2 + genre), taste=True) > 0.25


def test_a_row_without_a_group_stays_as_plain_has_it():
    label = drawn(np.where(USER < 20, 0.8, 0.2))
    few = ROWS[USER < 20]
    predicted = with_oracle(PLAIN, label, USER, Groups(few, USER[few]), taste=False)
    assert len(np.unique(predicted[USER >= 20])) == 1


def test_of_large_groups_the_oracle_sees_most_of_what_is_planted_and_of_small_ones_little():
    worth, seen = planted_gains(PLAIN, USER, Groups(ROWS, USER), taste=False)
    assert 0.8 * worth < seen <= worth
    worth, seen = planted_gains(PLAIN, USER, Groups(ROWS, ROWS // 2), taste=False)
    assert seen < 0.4 * worth
