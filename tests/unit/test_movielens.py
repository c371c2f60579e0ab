"""The MovieLens sets come out of real wheels, entire or not at all."""

from datetime import UTC, datetime
from pathlib import Path
from typing import get_args

import pytest

from trackrec.histories.sources.movielens import ML_1M, ML_100K, SETS, fetch, movielens_source, rows_before
from trackrec.runtime.errors import BadInputError
from trackrec.runtime.settings import SourceSettings


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    cache = tmp_path_factory.mktemp("cache")
    for data in SETS.values():
        fetch(data, cache)
    return cache


@pytest.fixture
def no_index(monkeypatch):
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)


def test_the_three_files_and_nothing_else_are_in_the_cache(cache):
    assert sorted(p.name for p in (cache / "data").iterdir()) == ["ml-100k", "ml-1m"]
    lines = {p.name: len(p.read_text("utf-8").splitlines()) - 1 for p in (cache / "data").glob("*/*")}
    assert lines == {
        "ml-100k.inter": 100_000, "ml-100k.item": 1682, "ml-100k.user": 943,
        "ml-1m.inter": 947_090, "ml-1m.item": 3883, "ml-1m.user": 6040,
    }  # fmt: skip


def test_ratings_of_movielens_1m_from_june_2001_on_stay_in_the_wheel(cache):
    rows = (cache / "data" / "ml-1m" / "ml-1m.inter").read_text("utf-8").splitlines()[1:]
    newest = max(int(row.split("\t")[3]) for row in rows)
    assert datetime.fromtimestamp(newest, UTC) < datetime(2001, 6, 1, tzinfo=UTC)


def test_a_row_at_the_end_is_not_before_it():
    lines = [b"item\ttime\r\n", b"a\t99.5\r\n", b"b\t100\r\n", b"c\t7\r\n"]
    kept = rows_before(lines, "time", datetime.fromtimestamp(100, UTC))
    assert list(kept) == [lines[0], lines[1], lines[3]]


def test_every_set_is_a_kind_of_source():
    assert {"tables", *SETS} == set(get_args(SourceSettings.model_fields["kind"].annotation))


@pytest.mark.parametrize("data", [ML_100K, ML_1M])
def test_a_second_fetch_needs_no_index(cache, no_index, data):
    assert fetch(data, cache) == cache / "data" / data.name


def test_a_damaged_copy_is_not_used(cache, no_index, tmp_path):
    copy = tmp_path / "data" / "ml-100k"
    copy.mkdir(parents=True)
    for file in (cache / "data" / "ml-100k").iterdir():
        (copy / file.name).write_bytes(file.read_bytes())
    (copy / "ml-100k.item").write_text("cut")
    with pytest.raises(BadInputError, match="could not download recbole"):
        fetch(ML_100K, tmp_path)


def test_a_damaged_copy_is_replaced(tmp_path):
    copy = tmp_path / "data" / "ml-100k"
    copy.mkdir(parents=True)
    (copy / "ml-100k.item").write_text("cut")
    assert (fetch(ML_100K, tmp_path) / "ml-100k.item").stat().st_size == 66_632


def test_a_failed_download_leaves_nothing_behind(no_index, tmp_path):
    with pytest.raises(BadInputError, match=r"recbole==1\.2\.1"):
        fetch(ML_100K, tmp_path)
    assert list((tmp_path / "data").iterdir()) == []


@pytest.mark.parametrize("data", [ML_100K, ML_1M])
def test_the_mapping_names_columns_that_the_files_have(cache, data):
    source = movielens_source(data, cache / "data" / data.name)
    for table in (source.interactions, source.items, source.users):
        header = Path(table.path).read_text("utf-8").splitlines()[0].split(table.options["sep"])
        assert set(table.columns.values()) <= set(header)
