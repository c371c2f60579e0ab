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
