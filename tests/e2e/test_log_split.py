"""A log that carries a split, through the job: windows, quarantine, refusals."""

import pytest
from deltalake import DeltaTable

from jobs import build_histories
from tests.e2e.logs import log_rows, write_conf, write_csv

pytestmark = pytest.mark.e2e

SPLITS = ["train"] * 12 + ["validation", "test"]  # leave-one-out: by place in a user's fourteen events


@pytest.fixture
def folder(spark, tmp_path):
    return tmp_path


def build(folder, *sets, splits=SPLITS, faulty=()):
    conf = write_conf(folder, quality={"max_quarantine_share": 0.1})
    rows = [row | {"split": splits[n % 14]} for n, row in enumerate(log_rows())]
    write_csv(folder / "log.csv", [*rows, *faulty])
    return build_histories.main(["--conf", str(conf), *(part for text in sets for part in ("--set", text))])


def stored(folder, table):
    return DeltaTable(folder / "warehouse" / table).to_pyarrow_table().to_pylist()


def test_windows_follow_the_split_of_the_log_and_faulty_splits_are_set_aside(folder, capsys):
    faulty = log_rows()[0] | {"member": "v", "split": "dev"}
    assert build(folder, faulty=[faulty]) == 0
    windows = {row["split"]: set() for row in stored(folder, "samples")}
    for row in stored(folder, "samples"):
        windows[row["split"]].add(row["window"])
    assert windows == {
        "train": {"alignment", "ctr_train"}, "validation": {"ctr_validation"}, "test": {"ctr_test"},
    }  # fmt: skip
    assert [row["reason"] for row in stored(folder, "quarantine")] == ["unknown_split"]
    err = capsys.readouterr()
    assert "windows follow the log's split (48 train, 4 validation, 4 test)" in err.out + err.err


def test_given_boundaries_stand_above_the_split_of_the_log(folder, capsys):
    boundaries = "windows.boundaries=[2024-01-08, 2024-01-10, 2024-01-12]"
    assert build(folder, boundaries) == 0
    rows = stored(folder, "samples")
    assert {row["split"] for row in rows} == {None}
    assert {row["window"] for row in rows if row["event_time"].day == 14} == {"ctr_test"}
    err = capsys.readouterr()
    assert "windows follow windows.boundaries, and not the log's split" in err.out + err.err
    assert "windows.fractions" not in err.out


def test_without_a_split_the_shares_of_the_windows_are_said(folder, capsys):
    assert build(folder, splits=[""] * 14) == 0
    assert "histories  windows.fractions gives 50 % to alignment, 30 % to ctr_train" in capsys.readouterr().out


def test_a_split_without_validation_rows_is_refused(folder, capsys):
    assert build(folder, splits=["train"] * 13 + ["test"]) == 2
    error = capsys.readouterr().err
    assert error.count("error: ") == 1
    assert "its split has no row for validation (52 train, 0 validation, 4 test of 56)" in error
    assert not (folder / "warehouse").exists()
