"""What the CTR job refuses over real Delta tables: one line, what failed and the remedy; exit 2, nothing written."""

import numpy as np
import pytest

from jobs.train_ctr import main
from tests import ctr_log

USERS, EVENTS, ITEMS, SIZE = 6, (3, 4, 2, 3), 15, 6
CONF = """
warehouse: {warehouse}
generator: {{model: {{source: "path:none"}}}}
encoder: {{model: {{source: "path:none"}}}}
ctr: {{seeds: [1], components: 2, history: 4, hidden_units: [8], embedding_dim: 4, epochs: 1, batch_size: 32}}
"""
LABEL = np.random.default_rng(0).integers(0, 2, (USERS, sum(EVENTS)))


def drawn(rows, size=SIZE):
    return np.random.default_rng(1).standard_normal((rows, size))


def published(users=USERS, size=SIZE, **columns):
    vectors = {name: drawn(users, size) for name in ("prompt", "reccot", "liked")}
    return ctr_log.snapshots(np.arange(users), np.full(users, 250), **vectors, **columns)


@pytest.fixture
def root(tmp_path):
    ctr_log.write(
        tmp_path / "wh",
        samples=ctr_log.samples(USERS, EVENTS, LABEL),
        item_vectors=ctr_log.items(drawn(ITEMS)),
        reccot_vectors=published(),
    )
    (tmp_path / "conf.yaml").write_text(CONF.format(warehouse=tmp_path / "wh"))
    return tmp_path / "wh"


def refused(root, capsys, *overrides):
    """The one line that the job leaves on stderr."""
    flags = [flag for override in ("ctr.arms=[plain,reccot]", *overrides) for flag in ("--set", override)]
    assert main(["--conf", str(root.parent / "conf.yaml"), *flags]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert not (root / "feature_gain").exists()
    return error


def test_an_unknown_arm_is_refused_with_the_known_ones(root, capsys):
    error = refused(root, capsys, "ctr.arms=[plain,two_numbers]")
    assert "setting ctr.arms.1" in error
    for arm in (
        "plain",
        "without_item_text",
        "planted",
        "permuted",
        "tallies",
        "teacher",
        "reccot",
        "item_description",
    ):
        assert f"'{arm}'" in error
    assert "two_numbers" in error


@pytest.mark.parametrize("name", ["plain", "reccot", "permuted", "item_mean"])
def test_a_feature_version_cannot_take_the_name_of_an_arm_or_floor(root, capsys, name):
    error = refused(root, capsys, f"ctr.feature_versions={{{name}: v1}}")
    assert f"ctr.feature_versions names an arm {name}" in error
    assert "Choose another name" in error


def test_a_feature_version_that_is_not_there_is_named(root, capsys):
    error = refused(root, capsys, "ctr.feature_versions={longer: v7}")
    assert "table reccot_vectors has no row of feature_version v7" in error
    assert "ctr.feature_versions" in error


def test_vectors_of_two_encoders_are_refused_with_both_sizes(root, capsys):
    ctr_log.write(root, item_vectors=ctr_log.items(drawn(ITEMS, 4)))
    error = refused(root, capsys)
    assert "table reccot_vectors was encoded by e1, parts of [6] floats, and item_vectors by e1, 4 floats" in error
    assert "two encoders" in error
    assert "jobs/encode_items.py, jobs/encode_reccot.py" in error


def test_vectors_of_two_encoders_of_one_size_are_refused_by_their_names(root, capsys):
    table = published()
    ctr_log.write(root, reccot_vectors=table.append_column("encoder_version", [["e2+parts2"] * USERS]))
    assert "table reccot_vectors was encoded by e2, " in refused(root, capsys)


def test_without_item_vectors_the_job_names_the_one_that_writes_them(root, capsys):
    (root / "item_vectors").rename(root / "elsewhere")
    error = refused(root, capsys)
    assert "table item_vectors does not exist" in error
    assert "Run jobs/encode_items.py first." in error


def test_without_item_texts_no_item_vectors_are_needed(root):
    (root / "item_vectors").rename(root / "elsewhere")
    flags = ["--set", "ctr.arms=[plain,reccot]", "--set", "ctr.item_texts=false"]
    assert main(["--conf", str(root.parent / "conf.yaml"), *flags]) == 0


def test_items_of_which_none_is_in_the_log_are_refused(root, capsys):
    ctr_log.write(root, item_vectors=ctr_log.items(drawn(ITEMS), first=100))
    error = refused(root, capsys)
    assert "none of its 15 items of text_source catalogue is in samples" in error
    assert "the same ids?" in error


def test_only_descriptions_and_no_text_of_the_catalogue_are_refused(root, capsys):
    ctr_log.write(root, item_vectors=ctr_log.items(drawn(ITEMS), source="g@1"))
    error = refused(root, capsys)
    assert "no row of text_source catalogue. Present: g@1." in error
    assert "jobs/encode_items.py" in error


@pytest.mark.parametrize(
    "setting", ["ctr.seeds=[1, 2, 1]", "ctr.arms=[plain, reccot, plain]", "ctr.learning_curve=[.1, .1]"]
)
def test_a_value_that_stands_twice_in_a_list_is_named(root, capsys, setting):
    error = refused(root, capsys, setting)
    twice = {"seeds": "1", "arms": "plain", "learning_curve": "0.1"}[setting.split("=")[0].removeprefix("ctr.")]
    assert f"setting {setting.split('=')[0]}: Input should have each value once, {twice} stands in it twice" in error
    assert "Take one of both out." in error


def test_no_description_for_its_arm_is_refused(root, capsys):
    error = refused(root, capsys, "ctr.arms=[plain,item_description]")
    assert "table item_vectors has no description of an item" in error
    assert "jobs/describe_items.py" in error


def test_an_item_vector_that_is_not_finite_is_refused(root, capsys):
    vectors = drawn(ITEMS)
    vectors[3, 2] = np.nan
    ctr_log.write(root, item_vectors=ctr_log.items(vectors))
    assert "table item_vectors: item_vector must be finite floats of one size" in refused(root, capsys)


def test_no_text_of_the_teacher_for_its_arm_is_refused(root, capsys):
    error = refused(root, capsys, "ctr.arms=[plain,teacher]")
    assert "no row written by the teacher" in error
    assert "jobs/publish_teacher.py" in error


def test_texts_of_the_teacher_alone_are_no_reccots(root, capsys):
    ctr_log.write(root, reccot_vectors=published(generator="statistics@1"))
    error = refused(root, capsys)
    assert "no row written by an LLM" in error
    assert "Run jobs/nightly.py first. Or take reccot out of ctr.arms." in error


@pytest.mark.parametrize(
    ("arms", "taken"),
    [
        ("[plain, tallies, reccot]", "reccot"),
        ("[plain, planted, permuted, facts, reccot]", "planted, permuted, facts, reccot"),
        ("[plain, planted, permuted, teacher, reccot]", "reccot"),  # the controls then carry the teacher's
    ],
)
def test_without_a_finished_night_the_error_says_which_arms_to_leave_out(root, capsys, arms, taken):
    ctr_log.write(root, reccot_vectors=published(generator="statistics@1"))
    assert f" Or take {taken} out of ctr.arms." in refused(root, capsys, f"ctr.arms={arms}")
    (root / "reccot_vectors").rename(root / "elsewhere")
    assert (
        f"does not exist at {root}/reccot_vectors. Run jobs/publish_features.py first. Or take {taken} out"
        in refused(root, capsys, f"ctr.arms={arms}")
    )


def test_fewer_snapshots_than_components_are_refused_with_both_counts(root, capsys):
    ctr_log.write(root, reccot_vectors=published(users=4, size=SIZE))
    error = refused(root, capsys, "ctr.components=5")
    assert "table reccot_vectors, prompt" in error
    assert "4 vectors of 6 floats, too few to fit 5 principal components" in error
    assert "Lower ctr.components to 3 or less, or raise histories.max_users" in error


def test_vectors_of_one_arm_that_cannot_be_whitened_name_the_arm_to_leave_out(root, capsys):
    few = published(version="v0", users=4, size=SIZE)
    ctr_log.write(root, reccot_vectors=[few, published(size=SIZE, created=1)])
    error = refused(root, capsys, "ctr.components=5", "ctr.arms=[plain,reccot]", "ctr.feature_versions={few: v0}")
    assert "too few to fit 5 principal components" in error
    assert "Or take few out of ctr.feature_versions." in error


@pytest.mark.parametrize("item_texts", ["true", "false"])
def test_more_components_than_an_encoder_has_floats_are_refused_and_never_cut(root, capsys, item_texts):
    ctr_log.write(root, item_vectors=ctr_log.items(drawn(ITEMS, 4)), reccot_vectors=published(size=4))
    error = refused(root, capsys, "ctr.components=5", f"ctr.item_texts={item_texts}")
    assert " vectors of 4 floats, too few to fit 5 principal components (ctr.components). " in error
    assert "Lower ctr.components to 4 or less." in error
    assert "max_users" not in error


def test_fewer_items_with_a_text_than_components_are_refused(root, capsys):
    ctr_log.write(root, item_vectors=ctr_log.items(drawn(3)))
    error = refused(root, capsys, "ctr.components=4")
    assert "table item_vectors, column item_vector" in error
    assert "3 vectors of 6 floats, too few to fit 4 principal components" in error


@pytest.mark.parametrize(("window", "first"), [("ctr_train", 3), ("ctr_validation", 7), ("ctr_test", 9)])
def test_a_window_with_one_class_is_refused(root, capsys, window, first):
    label = LABEL.copy()
    label[:, first : first + EVENTS[ctr_log.WINDOWS.index(window)]] = 1
    ctr_log.write(root, samples=ctr_log.samples(USERS, EVENTS, label))
    assert f"window {window} have label 1, and AUC needs both classes" in refused(root, capsys)
