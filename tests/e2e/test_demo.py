"""The demo's own commands on a few users, in processes of their own: MovieLens, vLLM, the encoder and the CTR job."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from deltalake import DeltaTable

from trackrec.histories.sources.movielens import ML_100K, fetch
from trackrec.reccots.feature_version import feature_spec_of

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory, settings):
    """Where the demo writes; weights and data are fetched before, as fetching them is told on stderr."""
    feature_spec_of(settings)
    fetch(ML_100K, settings.cache_dir())
    return tmp_path_factory.mktemp("demo") / "warehouse"


def run(warehouse, command, *sets):
    """One command of the demo, small: 10 users, 1 seed."""
    small = ("histories.max_users=10", "ctr.seeds=[1]", "ctr.epochs=2", f"log={warehouse}.log", *sets)
    flags = ["--conf", "conf/demo.yaml", "--set", f"warehouse={warehouse}"]
    flags += [part for text in small for part in ("--set", text)]
    env = os.environ | {"SPARK_CONF_DIR": str(ROOT / "conf" / "local"), "PATH": f"{BIN}:{os.environ['PATH']}"}
    return subprocess.run([*command, *flags], cwd=ROOT, env=env, capture_output=True, text=True, timeout=600)


def rows(warehouse, table):
    return DeltaTable(warehouse / table).to_pyarrow_table().to_pylist()


def test_nightly_writes_reccots_with_vllm_and_publishes_vectors(warehouse):
    done = run(warehouse, [sys.executable, "-m", "jobs.nightly"])
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    lines = [line for line in done.stdout.splitlines() if "…" not in line]
    outcomes = [line for line in lines if line.endswith(" s")]
    assert [line.split()[0] for line in outcomes] == [
        "models", "histories", "generate", "encode", "publish", "items",
    ]  # fmt: skip
    notices = [line.split(maxsplit=1) for line in lines if line not in outcomes]
    assert notices == [
        [
            "histories",
            "items 1,682 · 27 attributes, e.g. 1990s, Drama · 0 without title · 1,680 with year, 2 unusable",
        ],
        [
            "histories",
            "windows.fractions gives 50 % to alignment, 30 % to ctr_train, 10 % to ctr_validation, 10 % to ctr_test of "
            "the events, by time",
        ],
        ["generate", "an engine is starting in a Python worker"],
    ]
    written = rows(warehouse, "reccots")
    assert {r["engine"] for r in written} == {"vllm"}
    assert len({r["engine_id"] for r in written}) == 1, "one engine start a worker and job"
    assert all(r["text"].startswith("They liked ") for r in written if r["status"] != "empty")
    vectors = rows(warehouse, "reccot_vectors")
    assert len(vectors) == sum(r["status"] != "empty" for r in written) > 5
    assert {len(r["reccot_vector"]) for r in vectors} == {384}
    assert all(r["source_max_time"] < r["as_of"] for r in vectors)
    items = {r["item_id"]: r for r in rows(warehouse, "item_vectors")}
    assert len(items) == 1682
    assert items["1"]["text"] == "Toy Story (1995), Animation, Children's, Comedy, 1990s"


@pytest.mark.slow
def test_spark_submit_does_the_same_and_generates_nothing_again(warehouse):
    before = {
        table: sorted(map(str, rows(warehouse, table))) for table in ("reccots", "reccot_vectors", "item_vectors")
    }
    done = run(warehouse, [str(BIN / "spark-submit"), "jobs/nightly.py"])
    assert done.returncode == 0, done.stderr
    assert "generate   0 rows" in done.stdout
    assert {table: sorted(map(str, rows(warehouse, table))) for table in before} == before


@pytest.mark.slow
def test_the_ctr_job_prints_a_gain_table_with_floors_and_verdicts(warehouse):
    done = run(warehouse, [sys.executable, "-m", "jobs.train_ctr"])
    assert done.returncode == 0, done.stderr
    for arm in ("item_mean", "item_mean_user_share", "plain", "planted", "permuted", "tallies", "facts", "reccot"):
        assert f"\n{arm} " in done.stdout
    assert "\nreccot: " in done.stdout
    assert {r["arm"] for r in rows(warehouse, "feature_gain")} >= {"item_mean", "plain", "reccot"}


def test_the_report_shows_reccots_and_how_to_read_the_tables(warehouse):
    shown = run(warehouse, [sys.executable, "-m", "trackrec.report", "reccots"])
    assert shown.returncode == 0, shown.stderr
    assert shown.stdout.count("RecCoT    They liked ") == 3
    told = run(warehouse, [sys.executable, "-m", "trackrec.report", "tables"])
    assert f'polars.read_delta("{warehouse}/reccot_vectors")' in told.stdout


def test_spark_submit_without_delta_says_what_to_export(warehouse, tmp_path):
    flags = ["--conf", "conf/demo.yaml", "--set", f"warehouse={tmp_path}/warehouse", "--set", f"log={tmp_path}/log"]
    command = [str(BIN / "spark-submit"), "--master", "local[1]", "jobs/build_histories.py", *flags]
    env = os.environ | {"PATH": f"{BIN}:{os.environ['PATH']}"}
    env.pop("SPARK_CONF_DIR", None)
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=300)
    assert done.returncode == 2
    # spark-submit sends the script's stderr to its own stdout
    assert "error: Spark runs without Delta Lake. Run `export SPARK_CONF_DIR=" in done.stdout
    assert not (tmp_path / "warehouse").exists()
