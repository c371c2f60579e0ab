"""A Python without the packages ends a job with one line and 2, as bad input does."""

import subprocess
import sys

import pytest

from tests.conftest import ROOT
from trackrec.runtime.errors import BadInputError

JOBS = sorted(f"jobs.{path.stem}" for path in (ROOT / "jobs").glob("[a-z]*.py"))


@pytest.mark.parametrize("command", [*JOBS, "trackrec.report rounds"])
def test_a_python_without_the_packages_ends_with_one_line_that_says_what_to_run(command):
    # -S: without site-packages, as in a Python that is not .venv's.
    command = [sys.executable, "-S", "-m", *command.split(), "--conf", "conf/local.yaml"]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, env={})
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.startswith("error: the package ")
    assert ended.stderr.count("\n") == 1
    assert "make install" in ended.stderr


@pytest.mark.parametrize("job", JOBS)
def test_a_job_that_is_run_as_a_script_as_spark_submit_does_finds_its_checkout_from_anywhere(job, tmp_path):
    script = str(ROOT / "jobs" / f"{job.removeprefix('jobs.')}.py")
    command = [sys.executable, "-S", script, "--conf", str(ROOT / "conf/local.yaml")]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, env={})
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.startswith("error: the package ")
    assert ended.stderr.count("\n") == 1
    assert "make install" in ended.stderr


def test_a_missing_module_of_our_own_is_a_bug_and_no_bad_input(tmp_path, capsys):
    from trackrec.runtime.failure import print_error

    error = ModuleNotFoundError("No module named 'trackrec.gone'", name="trackrec.gone")
    assert print_error(error, str(tmp_path / "log")) == 70


def test_a_folder_without_spark_defaults_is_bad_input_before_spark_starts(settings, tmp_path, monkeypatch):
    from trackrec.runtime.session import spark_session

    for name in ("SPARK_CONF_DIR", "PYSPARK_GATEWAY_PORT", "SPARK_REMOTE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("pyspark.sql.SparkSession.getActiveSession", lambda: None)
    with pytest.raises(BadInputError, match=r"where there is no spark-defaults\.conf"):
        spark_session(settings.model_copy(update={"spark_conf": str(tmp_path)}), "tests")
