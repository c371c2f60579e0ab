"""The notebook itself, cell by cell, with Databricks' dbutils played by a dictionary; G is scripted."""

import runpy

import pytest
from deltalake import DeltaTable

from tests.conftest import ROOT
from tests.e2e.logs import SMALL_CTR, write_conf
from trackrec.runtime import notebook
from trackrec.runtime.command_line import flags
from trackrec.runtime.errors import TrackrecError

pytestmark = pytest.mark.e2e

QUICKSTART = ROOT / "notebooks" / "01_quickstart.py"


class Dbutils:
    """Widgets as a job's parameters set them: a value that is given stands above the notebook's default."""

    def __init__(self, **given):
        self.widgets, self._given, self.made = self, given, {}

    def text(self, name, default, label):
        self.made[name] = self._given.get(name, default)

    def get(self, name):
        return self.made[name]


@pytest.fixture(scope="module")
def ran(spark, tmp_path_factory):
    folder = tmp_path_factory.mktemp("notebook")
    dbutils = Dbutils(conf=str(write_conf(folder, ctr=SMALL_CTR)), **{"run-id": "from-a-notebook"})
    runpy.run_path(str(QUICKSTART), init_globals={"dbutils": dbutils, "spark": spark})
    return folder, dbutils


def test_the_notebook_fills_the_tables_and_measures_the_gain_under_its_run_id(ran):
    folder, _ = ran
    for table in ("reccots", "reccot_vectors", "feature_gain"):
        rows = DeltaTable(folder / "warehouse" / table).to_pyarrow_table().to_pylist()
        assert {row["run_id"] for row in rows} == {"from-a-notebook"}


def test_its_widgets_are_the_flags_of_the_jobs(ran):
    _, dbutils = ran
    known = {action.option_strings[-1].removeprefix("--") for action in flags("x", None)._actions}
    assert set(dbutils.made) == known - {"help"}


def test_it_is_in_databricks_source_format_and_has_at_most_ten_cells():
    text = QUICKSTART.read_text()
    assert text.startswith("# Databricks notebook source\n")
    assert text.count("\n# COMMAND ----------\n") < 10


def test_widgets_become_a_command_line_and_empty_ones_no_flag():
    dbutils = Dbutils(set=" ctr.epochs=1  env=x ")
    notebook.add_widgets(dbutils, conf="conf/demo.yaml")
    assert notebook.arguments(dbutils) == ["--conf", "conf/demo.yaml", "--set", "ctr.epochs=1", "--set", "env=x"]


def test_a_job_that_fails_fails_the_notebook():
    with pytest.raises(TrackrecError, match="ended with exit code 2"):
        notebook.call(lambda args: 2, [])
