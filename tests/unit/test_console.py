import pytest

from trackrec.runtime.console import stage


def test_a_stage_prints_one_line_with_counts_and_rates(capsys):
    with stage("encode") as line:
        line.counts = {"rows": 1200, "unchanged": 3}
        line.notes = ["coverage 1.000"]
    out = capsys.readouterr().out
    assert out.startswith("encode     1,200 rows · 3 unchanged · ")
    assert "rows/s" in out
    assert "coverage 1.000" in out
    assert out.count("\n") == 1


def test_a_stage_that_fails_prints_no_summary(capsys):
    with pytest.raises(ValueError, match="boom"), stage("encode"):
        raise ValueError("boom")
    assert capsys.readouterr().out == ""
