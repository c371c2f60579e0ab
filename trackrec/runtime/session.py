"""The Spark session of a job, the same under spark-submit, ``python -m`` and Databricks.

Jars, memory and master come from the ``spark-defaults.conf`` that SPARK_CONF_DIR names, never from the builder:
spark-submit has started the JVM before the script runs, so what a builder sets comes too late.
"""

from __future__ import annotations

import logging
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pyspark.accumulators import AccumulatorTCPServer, AccumulatorUnixServer
from pyspark.errors import PySparkRuntimeError
from pyspark.sql import SparkSession

from trackrec.runtime.console import stderr_to
from trackrec.runtime.errors import BadInputError
from trackrec.runtime.failure import LOG_VARIABLE, log_file
from trackrec.runtime.settings import Settings

# In the environment of a Spark that is configured elsewhere: by its folder, by spark-submit, by Spark Connect.
_CONFIGURED = {"SPARK_CONF_DIR", "PYSPARK_GATEWAY_PORT", "SPARK_REMOTE"}


def spark_session(settings: Settings, app_name: str) -> SparkSession:
    """Start (or join) the session; Spark's and its workers' output goes to the run's log (``log_file``).

    Raises BadInputError when Java or the folder of spark-defaults.conf is missing, or Delta not on the classpath.
    """
    defaults = Path(settings.spark_conf) / "spark-defaults.conf"
    starts_here = _CONFIGURED.isdisjoint(os.environ) and SparkSession.getActiveSession() is None
    if starts_here and not defaults.is_file():
        raise BadInputError(
            f"the setting spark_conf names {settings.spark_conf}, where there is no spark-defaults.conf.",
            "Copy conf/local of the checkout there, or set spark_conf or SPARK_CONF_DIR to such a folder.",
        )
    log = Path(log_file(settings.log))
    log.parent.mkdir(parents=True, exist_ok=True)
    os.environ.setdefault("SPARK_CONF_DIR", settings.spark_conf)
    # Without it workers run whatever python3 the PATH has.
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    try:
        # The JVM and the Python workers inherit this stderr: Ivy's and vLLM's chatter goes to the log with it.
        with stderr_to(log), _named_in_environment(log):
            spark = SparkSession.builder.appName(f"trackrec {app_name}").getOrCreate()
    except PySparkRuntimeError as error:
        raise BadInputError(
            f"Spark did not start: {error.getMessage()}.",
            f"Is Java 17 installed and JAVA_HOME right? Spark's own words are in {log}.",
        ) from None
    if "delta" not in (spark.conf.get("spark.sql.extensions", "") or "").lower():
        raise BadInputError(
            "Spark runs without Delta Lake.", f"Run `export SPARK_CONF_DIR={settings.spark_conf}` before spark-submit."
        )
    _say_errors_once()
    return spark


def is_local(spark: SparkSession) -> bool:
    """Whether driver and executors are one process, so that no executor can be lost alone."""
    return re.fullmatch(r"local(\[.*\])?", spark.conf.get("spark.master", "") or "") is not None


def _say_errors_once() -> None:
    """What is raised is told in one line: nobody else prints it too."""
    # PySpark prints every captured error as a page of JSON beside the exception itself.
    logging.getLogger("SQLQueryContextLogger").setLevel(logging.CRITICAL)
    # A JVM that dies leaves a traceback by py4j, through the root logger, and one by each server that it was joined to.
    logging.getLogger().addFilter(_is_not_py4js)
    for server in (AccumulatorTCPServer, AccumulatorUnixServer):
        server.handle_error = lambda *_: None  # type: ignore[method-assign]


def _is_not_py4js(record: logging.LogRecord) -> bool:
    return record.module != "java_gateway"


@contextmanager
def _named_in_environment(log: Path) -> Iterator[None]:
    """For the JVM that starts in this block, whose log4j2.properties reads the name there; not for a later session."""
    before = os.environ.get(LOG_VARIABLE)
    os.environ[LOG_VARIABLE] = str(log.resolve())
    try:
        yield
    finally:
        if before is None:
            del os.environ[LOG_VARIABLE]
        else:
            os.environ[LOG_VARIABLE] = before
