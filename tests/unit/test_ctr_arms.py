"""Arms over real Delta tables: which rows each one reads, and what it makes of NULLs and of older tables."""

import dataclasses

import numpy as np
import pyarrow as pa
import pytest

from tests import ctr_log
from trackrec.ctr.arms import Seed
from trackrec.ctr.experiment import measure_seed, read_experiment
from trackrec.ctr.items import MOST_ATTRIBUTES, read_item_texts
from trackrec.ctr.matching import cosine
from trackrec.ctr.reccots import item_cosines, newest_encoder, read_reccots
from trackrec.ctr.samples import load_samples
from trackrec.runtime.settings import CtrSettings
from trackrec.tables.lake import Lake

USERS, EVENTS, ITEMS, SIZE = 8, (3, 4, 2, 3), 15, 6
SMALL = {
    "components": 2, "history": 4, "embedding_dim": 4, "hidden_units": (8,), "epochs": 1, "batch_size": 32,
    "item_dim": 2, "adaptor_dim": 2,
}  # fmt: skip
EARLY, LATE = 250, 950  # as_of: before the training window, and in the test window
TEACHER = "statistics@1"


def drawn(rows, seed=0):
    return np.random.default_rng(seed).standard_normal((rows, SIZE))


def published(as_of=EARLY, users=USERS, seed=0, parts=("prompt", "reccot"), **columns):
    return ctr_log.snapshots(
        np.arange(users),
        np.full(users, as_of),
        **{part: drawn(users, seed + n) for n, part in enumerate(parts)},
        **columns,
    )


def labels(seed=0):
    return np.random.default_rng(seed).integers(0, 2, (USERS, sum(EVENTS)))


@pytest.fixture
def root(tmp_path):
    attributes = [["Drama"] if i % 2 else ["Comedy", "War"] for i in range(ITEMS)]
    tallies = [[("Drama", u % 3, 1), ("War", 1, u % 2)] for u in range(USERS)]
    ctr_log.write(
        tmp_path,
        samples=ctr_log.samples(USERS, EVENTS, labels()),
        item_vectors=ctr_log.items(drawn(ITEMS, 9), attributes),
        user_histories=ctr_log.histories(np.arange(USERS), [EARLY] * USERS, [3] * USERS, [1] * USERS, tallies),
        reccot_vectors=published(),
    )
    return tmp_path


def experiment(root, *arms, **settings):
    return read_experiment(CtrSettings(**SMALL | {"arms": ("plain", *arms)} | settings), Lake(str(root)))


def features(root, arm, **settings):
    arms = () if arm in settings.get("feature_versions", {}) else (arm,)
    return experiment(root, *arms, **settings).arms.features(arm, Seed(1, None))


def snapshots(root, version=None, *, by_teacher=False):
    lake = Lake(str(root))
    return read_reccots(lake, load_samples(lake), version, by_teacher=by_teacher)


def test_the_teacher_arm_reads_the_teachers_newest_version_and_reccot_never_does(root):
    by_teacher = published(seed=5, version="t2", generator=TEACHER, created=9)
    older = published(seed=7, version="t1", generator=TEACHER, created=8)
    ctr_log.write(root, reccot_vectors=[published(), older, by_teacher])
    assert (features(root, "teacher").version, features(root, "reccot").version) == ("t2", "v1")


def test_of_the_versions_of_llms_reccot_reads_what_was_published_last(root):
    ctr_log.write(root, reccot_vectors=[published(version="v2", created=5), published(version="v1", created=3)])
    assert features(root, "reccot").version == "v2"


def test_a_feature_version_by_name_is_an_arm_of_its_own(root):
    ctr_log.write(root, reccot_vectors=[published(version="v1"), published(version="v2", created=5, seed=3)])
    named = features(root, "longer prompt", feature_versions={"longer prompt": "v1"})
    assert named.version == "v1"
    assert all(map(np.array_equal, named.vectors, features(root, "reccot", feature_version="v1").vectors))


def test_rows_of_an_earlier_version_without_writer_and_parts_are_reccots_read_as_one_vector(root):
    ctr_log.write(root, reccot_vectors=published().drop_columns(["generator_version"]))
    assert list(snapshots(root).vectors) == ["prompt", "reccot"]
    assert len(features(root, "reccot").vectors) == 2


def test_parts_stand_in_the_place_of_the_whole_reccot(root):
    ctr_log.write(root, reccot_vectors=published(parts=("prompt", "reccot", "liked", "avoided", "outlook")))
    assert list(snapshots(root).vectors) == ["prompt", "liked", "avoided", "outlook"]


def test_a_part_that_no_text_has_is_no_vector(root):
    table = published(parts=("prompt", "reccot", "liked"), avoided=[None] * USERS, outlook=[None] * USERS)
    ctr_log.write(root, reccot_vectors=table)
    assert list(snapshots(root).vectors) == ["prompt", "liked"]


def test_a_part_that_one_text_lacks_is_zeros_with_flag_0_there(root):
    avoided = [None, *drawn(USERS - 1)]
    ctr_log.write(root, reccot_vectors=published(parts=("prompt", "reccot", "liked"), avoided=avoided))
    values = features(root, "reccot")
    assert values.flags.tolist() == [[1, 1, 0]] + [[1, 1, 1]] * (USERS - 1)
    assert (values.vectors[2][0] == 0).all()
    assert (values.vectors[2][1:] != 0).all()


def test_a_text_without_any_part_stands_in_the_place_of_the_liked_part(root):
    ctr_log.write(root, reccot_vectors=published(parts=("prompt", "reccot"), liked=[None, *drawn(USERS - 1)]))
    liked = snapshots(root).vectors["liked"]
    assert liked.present.all()
    assert np.allclose(liked.values[0], drawn(USERS, 1)[0])


def test_where_most_texts_have_no_part_all_are_read_in_one_piece(root):
    ctr_log.write(
        root, reccot_vectors=published(parts=("prompt", "reccot"), liked=[drawn(1)[0], *[None] * (USERS - 1)])
    )
    assert list(snapshots(root).vectors) == ["prompt", "reccot"]


def test_a_part_that_hardly_any_training_snapshot_has_is_left_out_and_named(root):
    outlook = [*drawn(2), *[None] * (USERS - 2)]
    ctr_log.write(root, reccot_vectors=published(parts=("prompt", "reccot", "liked"), outlook=outlook))
    values = features(root, "reccot")
    assert (list(values.projections), values.omitted) == (["prompt", "liked"], ("outlook",))


def test_coverage_asks_for_a_vector_besides_the_prompts(root):
    missing = [None if u < 2 else row for u, row in enumerate(drawn(USERS))]
    ctr_log.write(root, reccot_vectors=published(parts=("prompt",), reccot=missing))
    measured = experiment(root, "reccot", "facts")
    coverage = {
        arm: measured.arms.features(arm, Seed(1, None)).coverage(measured.rows.test) for arm in ("reccot", "facts")
    }
    assert coverage == {"reccot": 6 / 8, "facts": 1}


def test_the_facts_arm_has_the_prompts_vector_and_nothing_of_a_reccot(root):
    ctr_log.write(root, reccot_vectors=published(parts=("prompt", "reccot", "liked", "avoided")))
    values = features(root, "facts")
    assert (list(values.projections), values.numbers.shape[1]) == (["prompt"], 0)
    assert np.array_equal(values.vectors[0], features(root, "reccot").vectors[0])


def test_without_reccots_of_an_llm_the_controls_carry_the_teachers(root):
    ctr_log.write(root, reccot_vectors=published(version="t1", generator=TEACHER))
    measured = experiment(root, "planted", "permuted", "tallies", "facts", "teacher")
    assert measured.arms.features("facts", Seed(1, None)).version == "t1"


def test_items_are_read_in_the_encoder_of_the_reccots_and_else_in_that_of_most_items(root):
    older, newer = ctr_log.items(drawn(ITEMS, 1), encoder="a@1"), ctr_log.items(drawn(3, 2), encoder="b@1", created=9)
    ctr_log.write(root, item_vectors=[older, newer])
    lake = Lake(str(root))
    samples = load_samples(lake)
    versions = [read_item_texts(lake, samples, encoder=encoder).encoder_version for encoder in (None, "b@1", "c@1")]
    assert versions == ["a@1", "b@1", "a@1"]
    table = published().append_column("encoder_version", pa.array(["my+model@0a1b+parts2"] * USERS))
    ctr_log.write(root, reccot_vectors=table)
    assert newest_encoder(lake) == "my+model@0a1b"


def test_of_very_many_attributes_the_most_frequent_are_read(root):
    attributes = [["Drama", *(f"tag {i} {n}" for n in range(30))] for i in range(ITEMS)]
    ctr_log.write(root, item_vectors=ctr_log.items(drawn(ITEMS, 1), attributes))
    lake = Lake(str(root))
    read = read_item_texts(lake, load_samples(lake)).attributes
    assert read.shape == (ITEMS, MOST_ATTRIBUTES)
    assert read.sum(axis=0)[0] == ITEMS  # Drama, the first by name


def test_a_sample_without_a_snapshot_has_neither_vector_nor_cosine(root):
    ctr_log.write(root, reccot_vectors=published(users=6, parts=("prompt", "reccot", "liked")))
    measured = experiment(root, "reccot")
    values = measured.arms.features("reccot", Seed(1, None))
    outside = measured.samples.user >= 6
    assert (values.row[outside] == -1).all()
    assert (
        item_cosines(snapshots(root), measured.samples, read_item_texts(Lake(str(root)), measured.samples))[outside]
        == 0
    ).all()
    assert values.coverage(measured.rows.test) == 6 / 8


def test_reccots_bring_the_cosine_of_each_part_with_the_item_and_0_for_a_part_they_lack(root):
    ctr_log.write(root, reccot_vectors=published(parts=("prompt", "reccot", "liked", "avoided")))
    lake = Lake(str(root))
    samples = load_samples(lake)
    texts, found = read_item_texts(lake, samples), snapshots(root)
    row = np.flatnonzero((samples.user == 3) & (samples.window == "ctr_test"))[0]
    by_hand = [cosine(drawn(USERS, n)[3:4], texts.vectors[samples.item_all[row : row + 1]])[0] for n in (2, 3)]
    assert np.allclose(item_cosines(found, samples, texts)[row], [*by_hand, 0], atol=1e-5)
    assert features(root, "reccot").numbers.shape == (len(samples.user), 3)


def test_a_whole_reccot_has_no_cosine(root):
    assert (features(root, "reccot").numbers == 0).all()


def test_snapshots_that_no_training_row_joins_do_not_change_the_projection(root):
    arms = ("reccot", "teacher", "tallies", "permuted")
    values = []
    for seed in (1, 2):
        later = published(as_of=LATE, seed=40 + seed, parts=("prompt", "reccot", "liked"))
        early = published(parts=("prompt", "reccot", "liked"))
        by_teacher = [
            published(as_of=t, seed=s, parts=("prompt", "reccot", "liked"), version="t1", generator=TEACHER)
            for t, s in ((EARLY, 0), (LATE, 40 + seed))
        ]
        users = np.tile(np.arange(USERS), 2)
        tallies = [[("Drama", u % 3, 1), ("War", 1, u % 2)] for u in range(USERS)] + [[("Drama", seed, 5)]] * USERS
        histories = ctr_log.histories(
            users, np.repeat([EARLY, LATE], USERS), [3] * USERS + [9] * USERS, [1] * USERS + [seed] * USERS, tallies
        )
        ctr_log.write(root, reccot_vectors=[early, later, *by_teacher], user_histories=histories)
        measured = experiment(root, *arms)
        values.append({arm: measured.arms.features(arm, Seed(1, None)) for arm in arms})
    train = measured.samples.rows("ctr_train", in_scope_only=False)
    test = measured.samples.rows("ctr_test", in_scope_only=False)
    for arm in arms:
        first, second = (of_seed[arm] for of_seed in values)
        for one, other in zip(first.vectors, second.vectors, strict=True):
            assert np.array_equal(one[first.row[train]], other[second.row[train]]), arm
        for name, projection in first.projections.items():
            assert np.array_equal(projection.components, second.projections[name].components), (arm, name)
        assert not np.array_equal(first.vectors[1][first.row[test]], second.vectors[1][second.row[test]]), arm


@pytest.mark.parametrize("arm", ["reccot", "permuted", "tallies", "teacher", "item_description"])
def test_flipping_the_labels_of_later_windows_changes_no_feature_of_a_training_row(root, arm):
    ctr_log.write(
        root,
        reccot_vectors=[published(), published(version="t1", generator=TEACHER)],
        item_vectors=[ctr_log.items(drawn(ITEMS, 9)), ctr_log.items(drawn(ITEMS, 8), source="g@1")],
    )
    values = []
    for flip in (False, True):
        label = labels()
        label[:, sum(EVENTS[:2]) :] ^= flip
        ctr_log.write(root, samples=ctr_log.samples(USERS, EVENTS, label))
        measured = experiment(root, arm)
        values.append((measured.arms.features(arm, Seed(1, None)), measured.common.dense))
    train = measured.samples.rows("ctr_train", in_scope_only=False)
    (first, dense), (second, other) = values
    assert all(map(np.array_equal, first.vectors, second.vectors))
    assert np.array_equal(first.numbers[train], second.numbers[train])
    assert np.array_equal(dense[train], other[train])


def test_an_item_description_is_a_vector_of_the_target_and_how_it_matches(root):
    described = ctr_log.items(drawn(ITEMS - 1, 4), source="g@1", created=5)  # the last item has none
    older = ctr_log.items(drawn(ITEMS, 3), source="g@0", created=4)
    ctr_log.write(root, item_vectors=[ctr_log.items(drawn(ITEMS, 9)), older, described])
    measured = experiment(root, "item_description")
    values = measured.arms.features("item_description", Seed(1, None))
    item = measured.samples.item_all
    last = measured.samples.items.to_pylist().index(f"i{ITEMS - 1:03}")
    assert values.version == "g@1"
    assert np.array_equal(values.row, np.where(item == last, -1, item))
    assert ([vector.shape for vector in values.vectors], values.numbers.shape) == ([(ITEMS, 2)], (len(item), 3))


def test_another_source_of_descriptions_is_chosen_by_its_name(root):
    sources = [ctr_log.items(drawn(ITEMS, n), source=f"g@{n}", created=n) for n in (1, 2)]
    ctr_log.write(root, item_vectors=[ctr_log.items(drawn(ITEMS, 9)), *sources])
    assert features(root, "item_description", description_source="g@1").version == "g@1"


def test_the_catalogues_text_is_that_of_the_encoder_that_wrote_last(root):
    other = ctr_log.items(np.ones((ITEMS, 3)), encoder="e2", created=5)
    ctr_log.write(root, item_vectors=[other, ctr_log.items(drawn(ITEMS, 9), encoder="e1", created=3)])
    lake = Lake(str(root))
    texts = read_item_texts(lake, load_samples(lake))
    assert (texts.encoder_version, texts.vectors.shape) == ("e2", (ITEMS, 3))


def test_of_an_items_texts_the_newest_counts_with_its_attributes(root):
    before = ctr_log.items(drawn(ITEMS, 1), [["Drama"]] * ITEMS, created=1)
    after = ctr_log.items(np.ones((1, SIZE)), [["War"]], created=2)
    ctr_log.write(root, item_vectors=[after, before])
    lake = Lake(str(root))
    samples = load_samples(lake)
    texts = read_item_texts(lake, samples)
    first = samples.items.to_pylist().index("i000")
    assert texts.vectors[first].tolist() == [1] * SIZE
    assert texts.attributes[first].tolist() == [0, 1]  # Drama, War
    assert texts.attributes.sum(axis=0).tolist() == [ITEMS - 1, 1]


def test_items_without_text_are_not_described_and_have_no_attributes(root):
    ctr_log.write(root, item_vectors=ctr_log.items(drawn(12, 9), [None, *[["Drama"]] * 11]))
    lake = Lake(str(root))
    samples = load_samples(lake)
    texts = read_item_texts(lake, samples)
    number = np.array([int(name[1:]) for name in samples.items.to_pylist()])
    assert texts.described.tolist() == (number < 12).tolist()
    assert texts.attributes[:, 0].tolist() == ((number > 0) & (number < 12)).astype(float).tolist()


def test_without_item_text_only_that_arm_lacks_the_catalogue(root):
    measured = experiment(root, "without_item_text", "reccot")
    bare = measured.common_of("without_item_text")
    assert (bare.item_inputs.shape[1], bare.dense.shape[1]) == (0, 4)
    assert measured.common_of("reccot") is measured.common_of("plain") is measured.common
    assert (measured.common.item_inputs.shape[1], measured.common.dense.shape[1]) == (2 + 3, 4 + 3 + 1)


def test_the_planted_arm_carries_its_signal_in_the_liked_part_or_without_parts_in_the_reccot(root):
    for parts, carrier in ((("prompt", "reccot"), 1), (("prompt", "reccot", "avoided", "liked"), 1)):
        ctr_log.write(root, reccot_vectors=published(parts=parts))
        measured = experiment(root, "planted", "permuted")
        plain = np.random.default_rng(0).uniform(0.2, 0.8, len(measured.samples.user))
        planted, permuted = (measured.arms.features(arm, Seed(1, plain)) for arm in ("planted", "permuted"))
        differs = [not np.array_equal(*pair) for pair in zip(planted.vectors, permuted.vectors, strict=True)]
        assert differs == [n == carrier for n in range(len(differs))]
        assert planted.planted_worth is not None


def test_the_planted_signal_does_not_depend_on_how_many_training_rows_are_used(root):
    """With a share of the rows plain still predicts all of them: one that did not would plant its own .5."""
    measured = experiment(root, "planted")
    seen = []
    makers = dict(measured.arms.makers)
    arms = dataclasses.replace(
        measured.arms, makers=makers | {"planted": lambda seed: seen.append(seed.plain) or makers["planted"](seed)}
    )
    list(measure_seed(dataclasses.replace(measured, arms=arms), 1, share=0.5))
    assert (seen[0][measured.rows.train] != 0.5).all()
    assert (seen[0][measured.rows.validation] != 0.5).all()


def test_the_order_of_stored_rows_does_not_change_what_is_permuted(root):
    table = pa.concat_tables([published(), published(as_of=450, seed=5)])
    drawn_rows = []
    for order in (np.arange(2 * USERS), np.random.default_rng(3).permutation(2 * USERS)):
        ctr_log.write(root, reccot_vectors=table.take(order))
        drawn_rows.append(features(root, "permuted"))
    first, second = drawn_rows
    assert all(
        np.allclose(a[first.row], b[second.row], atol=1e-5) for a, b in zip(first.vectors, second.vectors, strict=True)
    )
