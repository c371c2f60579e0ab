"""The arm of tallies: the numbers that a RecCoT is written from, by hand."""

import numpy as np
import pyarrow as pa
import pytest

from tests import ctr_log
from trackrec.ctr.samples import load_samples
from trackrec.ctr.tallies import read_tallies
from trackrec.tables.lake import Lake

SHRINKAGE = 5
DRAMA, WAR = ("Drama", 3, 1), ("War", 0, 2)


@pytest.fixture
def root(tmp_path):
    label = np.arange(24).reshape(3, 8) % 2
    ctr_log.write(tmp_path, samples=ctr_log.samples(3, (2, 2, 2, 2), label))
    return tmp_path


def tallies_of(root, *rows):
    """``rows``: (user, as_of, n_events, n_liked, tallies) each."""
    ctr_log.write(root, user_histories=ctr_log.histories(*zip(*rows, strict=True)))
    lake = Lake(str(root))
    return read_tallies(lake, load_samples(lake))


def shrunk(liked, events, overall):
    return (liked + SHRINKAGE * overall) / (events + SHRINKAGE)


def test_likes_are_the_own_share_then_what_each_attribute_is_above_it(root):
    tallies = tallies_of(root, (0, 150, 8, 6, [("Drama", 3, 1), ("Comedy", 0, 2)]))
    own = shrunk(6, 8, 7 / 10)
    comedy, drama = shrunk(0, 2, own) - own, shrunk(3, 4, own) - own
    assert np.allclose(tallies.vectors["likes"].values, [[own, comedy, drama]])
    assert comedy < 0 < drama


def test_counts_are_logarithms_of_all_events_and_of_each_attributes(root):
    tallies = tallies_of(root, (0, 150, 8, 6, [("Drama", 3, 1), ("Comedy", 0, 2)]))
    assert np.allclose(tallies.vectors["counts"].values, np.log([[9, 3, 5]]))


def test_an_attribute_that_is_not_among_the_tallies_is_0(root):
    tallies = tallies_of(root, (0, 150, 2, 1, [("Drama", 1, 1)]), (1, 150, 2, 1, [("War", 1, 1)]))
    assert tallies.vectors["counts"].values[:, 1:].astype(bool).tolist() == [[True, False], [False, True]]
    assert tallies.vectors["likes"].values[0, 2] == tallies.vectors["likes"].values[1, 1] == 0


def test_of_a_template_with_shares_they_are_the_numbers_that_its_prompt_shows(root):
    """Of all 80 events 60 were liked, of the newest 8 that the prompt shows 6; War is clear, but not frequent."""
    table = ctr_log.histories([0, 1], [150, 150], [80, 9], [60, 3], [[("Drama", 3, 1)], [("Drama", 1, 1)]])
    kind = table["tallies"].type
    above, below = ([dict(zip(("attribute", "liked", "disliked"), t, strict=True))] for t in (DRAMA, WAR))
    shown = {"shown_events": [8, None], "shown_liked": [6, None], "above": [above, None], "below": [below, None]}
    for name, rows in shown.items():
        table = table.append_column(name, pa.array(rows, type=pa.int32() if name.startswith("shown") else kind))
    ctr_log.write(root, user_histories=table)
    lake = Lake(str(root))
    vectors = read_tallies(lake, load_samples(lake)).vectors
    assert np.allclose(vectors["counts"].values, np.log([[9, 5, 3], [10, 3, 1]]))
    own = shrunk(6, 8, 7 / 10)
    assert np.allclose(vectors["likes"].values[0], [own, shrunk(3, 4, own) - own, shrunk(0, 2, own) - own])


def test_a_log_without_attributes_has_shares_and_counts(root):
    tallies = tallies_of(root, (0, 150, 2, 1, []), (1, 150, 3, 1, []))
    assert {name: vector.values.shape for name, vector in tallies.vectors.items()} == {
        "likes": (2, 1),
        "counts": (2, 1),
    }


def test_each_sample_joins_the_newest_snapshot_of_its_user_at_or_before_it(root):
    tallies = tallies_of(root, (1, 450, 4, 2, []), (0, 300, 4, 2, []), (1, 201, 2, 1, []))
    counts = tallies.vectors["counts"].values[:, 0][tallies.snapshot]
    joined = np.where(tallies.snapshot >= 0, np.expm1(counts).round(), 0).reshape(3, 8)
    assert joined.tolist() == [[0, 0, 0, 4, 4, 4, 4, 4], [0, 0, 2, 2, 2, 4, 4, 4], [0] * 8]


def test_of_two_templates_the_one_written_last_counts_and_of_two_prompts_of_a_snapshot_the_newest(root):
    tables = []
    for created, template, liked in ((1, "t@1", 1), (3, "t@2", 3), (2, "t@2", 2), (0, "t@3", 0)):
        table = ctr_log.histories(*zip((0, 150, 8, liked, [("Drama", liked, 1)]), strict=True))
        table = table.drop_columns(["template_version", "created_time"])
        tables.append(
            table.append_column("template_version", [[template]]).append_column(
                "created_time", ctr_log.instants([created])
            )
        )
    for order in (tables, tables[::-1]):
        ctr_log.write(root, user_histories=order)
        lake = Lake(str(root))
        values = read_tallies(lake, load_samples(lake)).vectors["counts"].values
        assert np.allclose(values, np.log([[9, 5]]))


def test_what_became_known_later_does_not_change_an_earlier_snapshot(root):
    early = [(0, 150, 8, 6, [("Drama", 3, 1)]), (1, 250, 5, 1, [("Drama", 1, 1)])]
    first = tallies_of(root, *early, (2, 350, 9, 0, [("Drama", 0, 9)]))
    second = tallies_of(root, (2, 350, 9, 9, [("Drama", 9, 0)]), *early)
    for name in ("likes", "counts"):
        assert np.array_equal(first.vectors[name].values[:2], second.vectors[name].values[:2])
    assert not np.array_equal(first.vectors["likes"].values[2], second.vectors["likes"].values[2])
