"""What reads and writes tables without Spark works where pyspark cannot be imported."""

import subprocess
import sys

import pytest

from tests.conftest import ROOT

MODULES = (
    "jobs.train_ctr",
    "trackrec.ctr.experiment",
    "trackrec.ctr.gain",
    "trackrec.ctr.slices",
    "trackrec.feedback.forecast",
    "trackrec.feedback.groundedness",
    "trackrec.feedback.holdout",
    "trackrec.feedback.validator",
    "trackrec.feedback.loop_state",
    "trackrec.feedback.metrics",
    "trackrec.feedback.templates",
    "trackrec.feedback.user_split",
    "trackrec.feedback.verdicts",
    "trackrec.metrics.bootstrap",
    "trackrec.models.adapters",
    "trackrec.models.gguf",
    "trackrec.models.lora",
    "trackrec.models.manifest",
    "trackrec.models.registry",
    "trackrec.models.resolve",
    "trackrec.models.split_wheels",
    "trackrec.models.threads",
    "trackrec.models.weight_files",
    "trackrec.models.wheels",
    "trackrec.report.__main__",
    "trackrec.report.gain",
    "trackrec.report.plot",
    "trackrec.report.rounds",
    "trackrec.report.show",
    "trackrec.report.stored_gain",
    "trackrec.stages.train_ctr",
    "trackrec.tables.arrow",
    "trackrec.tables.catalog",
    "trackrec.tables.contract",
    "trackrec.tables.keys",
    "trackrec.tables.lake",
    "trackrec.tables.migration",
    "trackrec.tables.quarantine",
    "trackrec.tables.schemas",
    "trackrec.tables.slices",
    "trackrec.tables.spark_errors",
)

A_RUN_IS_RECORDED = """
import sys
from datetime import datetime, timezone
from types import SimpleNamespace
from trackrec.tables.catalog import lake_of

now = datetime(2024, 1, 1, tzinfo=timezone.utc)
row = {"run_id": "r1", "job": "j", "status": "done", "counts": {"rows": 1.0}, "config_hash": "h",
       "started_time": now, "created_time": now}
lake = lake_of(SimpleNamespace(warehouse=sys.argv[1]), "j")
assert lake.insert_rows("runs", [row]) == 1
assert lake.read_columns("runs", ["run_id", "job"]).to_pylist() == [{"run_id": "r1", "job": "j"}]
"""


def run_without_pyspark(code, *args):
    """``code`` in a process in which ``import pyspark`` raises ImportError."""
    command = [sys.executable, "-c", f"import sys; sys.modules['pyspark'] = None\n{code}", *args]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)


@pytest.mark.parametrize("module", MODULES)
def test_it_is_imported_where_pyspark_cannot_be(module):
    done = run_without_pyspark("import importlib; importlib.import_module(sys.argv[1])", module)
    assert done.returncode == 0, done.stderr


def test_a_table_of_a_folder_is_written_and_read_where_pyspark_cannot_be_imported(tmp_path):
    done = run_without_pyspark(A_RUN_IS_RECORDED, str(tmp_path / "warehouse"))
    assert done.returncode == 0, done.stderr
