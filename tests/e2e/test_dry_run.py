"""A dry run says what a night would ask of G and what that costs, and leaves no file behind."""

import pytest

from jobs import generate_reccot, nightly
from tests.e2e.logs import log_rows, rows, write_conf, write_csv

pytestmark = pytest.mark.e2e


def files(folder) -> set[str]:
    return {str(path.relative_to(folder)) for path in (folder / "warehouse").rglob("*")}


def test_a_dry_run_counts_by_cause_and_writes_nothing(spark, tmp_path, capsys):
    flags = ["--conf", str(write_conf(tmp_path, histories={"policy": "nightly", "as_of": "2024-01-10"}))]
    assert nightly.main([*flags, "--dry-run"]) == 0
    said = capsys.readouterr().out
    assert "estimate   4 pending · 4 news · 0 template · 0 model · 0 backlog" in said
    assert "no run of this G has been measured yet: --probe 16" in said
    assert files(tmp_path) == set()

    assert nightly.main([*flags, "--run-id", "tenth"]) == 0
    before = [row for row in log_rows() if str(row["at"]) < "2024-01-10"]
    write_csv(tmp_path / "log.csv", [*before, {"member": "u2", "sku": "i8", "at": "2024-01-10T08:00:00Z", "stars": 5}])
    written = files(tmp_path)
    tomorrow = [*flags, "--set", "histories.as_of=2024-01-11", "--set", "generator.price_per_gpu_hour=3600"]
    capsys.readouterr()
    assert nightly.main([*tomorrow, "--dry-run"]) == 0
    said = capsys.readouterr().out
    assert "estimate   1 pending · 1 news · 0 template · 0 model · 0 backlog" in said
    (ledger,) = [dict(row["counts"]) for row in rows(tmp_path, "runs")]
    seconds = ledger["generate_seconds"] / 4
    (money,) = [float(part.split()[1]) for part in said.split(" · ") if part.startswith("money ")]
    assert money == pytest.approx(seconds, abs=0.01), "the seconds that a text of the night before took, at 1 each"

    other = ["--backfill", "--set", "generator.sampling.max_tokens=40", "--limit", "3"]
    assert generate_reccot.main([*tomorrow, *other, "--dry-run", "--probe", "2"]) == 0
    said = capsys.readouterr().out
    assert "estimate   4 pending · 0 news · 0 template · 4 model · 0 backlog · 1 left for later" in said
    assert "hours" in said.split("estimate   4 pending")[1]
    assert files(tmp_path) == written


def test_a_probe_is_for_dry_runs(capsys):
    with pytest.raises(SystemExit) as ended:
        nightly.main(["--conf", "conf/local.yaml", "--probe", "4"])
    assert ended.value.code == 2
    assert "it measures for --dry-run" in capsys.readouterr().err
