"""Where a run's log goes when the environment names it: all of it, whatever the settings say."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.logs import write_conf

pytestmark = pytest.mark.e2e

PROGRAM = """
import sys
from trackrec.runtime.session import spark_session
from trackrec.runtime.settings_files import load_settings
spark = spark_session(load_settings(sys.argv[1]), "log")
jvm = spark.sparkContext._jvm
jvm.org.apache.logging.log4j.LogManager.getLogger("trackrec.test").error("said by log4j")
jvm.java.lang.System.err.println("said on stderr")
spark.stop()
"""


@pytest.mark.parametrize("variable", [True, False])
def test_the_log_of_spark_and_its_stderr_go_to_one_file(tmp_path, variable):
    conf = write_conf(tmp_path, log=str(tmp_path / "setting.log"))
    env = {name: value for name, value in os.environ.items() if name not in ("TRACKREC_LOG", "SPARK_CONF_DIR")}
    env |= {"PYTHONPATH": str(Path(__file__).parents[2])}
    named = tmp_path / ("environment.log" if variable else "setting.log")
    env |= {"TRACKREC_LOG": "environment.log"} if variable else {}
    command = [sys.executable, "-c", PROGRAM, str(conf)]
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=300)
    assert (done.returncode, done.stderr) == (0, "")
    text = named.read_text()
    assert "said by log4j" in text
    assert "said on stderr" in text
    assert {path.name for path in tmp_path.glob("**/*.log")} == {named.name}
