"""What a warehouse setting means: a folder, a URI, or catalog.schema."""

import pytest

from trackrec.runtime.errors import BadInputError
from trackrec.runtime.places import is_name, is_path, quoted, without_scheme
from trackrec.runtime.settings_files import load_settings


@pytest.mark.parametrize(
    "root", ["warehouse/local", "./features", "../x", "/a b/c", "s3://b/x", "file:/x", ".", "a.b/c"]
)
def test_what_holds_a_slash_or_starts_with_a_dot_is_a_path(root):
    assert is_path(root)


@pytest.mark.parametrize("root", ["main.features", "my-catalog.my-schema", "spark_catalog.f_1", "größe.x"])
def test_two_names_are_a_schema(root):
    assert not is_path(root)


@pytest.mark.parametrize("root", ["features", "a.b.c", "`a`.`b`", "a.", "a b.c", "", "a.b;x"])
def test_what_is_neither_is_refused_in_one_line(root):
    with pytest.raises(BadInputError, match=r"is neither a path nor catalog\.schema") as caught:
        is_path(root)
    assert "\n" not in str(caught.value)


def test_a_warehouse_that_is_neither_is_refused_with_the_settings(tmp_path):
    (tmp_path / "conf.yaml").write_text("warehouse: features\n")
    with pytest.raises(BadInputError, match=r"Write \./features for a folder, or both names"):
        load_settings(tmp_path / "conf.yaml")


def test_every_part_of_a_name_is_quoted():
    assert quoted("my-catalog.my-schema.reccots") == "`my-catalog`.`my-schema`.`reccots`"


def test_a_table_has_three_names():
    assert is_name("prod.events.ratings", parts=3)
    assert not is_name("events.ratings", parts=3)
    assert not is_name("data/events.ratings.x", parts=3)


@pytest.mark.parametrize(
    ("uri", "path"),
    [
        ("file:/a/b", "/a/b"),
        ("file:///a b/c%20d", "/a b/c%20d"),
        ("/a/file:/b", "/a/file:/b"),
        ("s3://b/c", "s3://b/c"),
    ],
)
def test_a_local_uri_becomes_a_path_and_nothing_else_changes(uri, path):
    assert without_scheme(uri) == path
