"""What trains works where pyspark cannot be imported: rooms that it stands on included."""

import subprocess
import sys

import pytest

from tests.conftest import ROOT

MODULES = sorted(
    ".".join(path.relative_to(ROOT).with_suffix("").parts)
    for path in (ROOT / "trackrec" / "training").rglob("*.py")
    if path.stem != "__init__"
) + [f"trackrec.stages.{name}" for name in ("align", "tune", "distill", "teacher_texts", "new_version", "opening")]


@pytest.fixture(scope="module")
def failures():
    """module -> the error of its import, in one process in which ``import pyspark`` raises ImportError."""
    code = """
import importlib, sys
sys.modules["pyspark"] = None
for name in sys.argv[1:]:
    try:
        importlib.import_module(name)
    except ImportError as error:
        print(name, error, sep=": ")
"""
    ended = subprocess.run([sys.executable, "-c", code, *MODULES], capture_output=True, text=True, cwd=ROOT, check=True)
    return dict(line.split(": ", 1) for line in ended.stdout.splitlines())


@pytest.mark.parametrize("module", MODULES)
def test_it_is_imported_where_pyspark_cannot_be(failures, module):
    assert module not in failures, failures[module]
