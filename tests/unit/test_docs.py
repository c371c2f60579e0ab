"""What docs/ points to is there."""

import re

from tests.conftest import ROOT


def test_every_test_that_the_method_names_exists():
    named = set(re.findall(r"`(test_\w+)`", (ROOT / "docs" / "method.md").read_text()))
    there = {
        name
        for path in (ROOT / "tests").rglob("test_*.py")
        for name in re.findall(r"^def (test_\w+)", path.read_text(), re.MULTILINE)
    }
    assert len(named) >= 11
    assert named <= there


def test_every_promise_of_the_readme_names_a_test_that_exists():
    readme = (ROOT / "README.md").read_text()
    promises = readme.split("## What we promise")[1].split("\n## ")[0]
    rows = [line for line in promises.splitlines() if line.startswith("| ") and "proved by" not in line]
    tests = "".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    assert len(rows) >= 8
    for row in rows:
        proofs = re.findall(r"`(tests/[\w/]+\.py|test_\w+)`", row.rsplit("|", 2)[1])
        assert proofs, row
        assert all((ROOT / proof).exists() or f"def {proof}(" in tests for proof in proofs), row
