"""One Spark session with Delta for all tests that need it, started as the jobs start it."""

from __future__ import annotations

import ctypes
import gc
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

from bench.nights import TINY
from trackrec.runtime.settings import Settings
from trackrec.runtime.settings_files import load_settings

ROOT = Path(__file__).parent.parent
CONF = ROOT / "conf" / "demo.yaml"

# Before a test imports torch, whose threads else spin at every barrier while the other worker and Spark want the cores.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

# Of the JVM's two compilers the quick one: beside other work 13 tests of Spark took 35 s in place of 49. Alone it keeps
# 48 MB of compiled code unless told otherwise: four minutes filled them (docs/experiments.md). Reserved from the
# start, so that they lie in pages of 2 MB.
_CODE = "-XX:ReservedCodeCacheSize=512m -XX:InitialCodeCacheSize=128m"
os.environ.setdefault("SPARK_SUBMIT_OPTS", f"-XX:TieredStopAtLevel=1 {_CODE}")

# An example may take long on a busy machine; what hangs is ended by pytest's timeout.
hypothesis.settings.register_profile("no deadline", deadline=None)
hypothesis.settings.load_profile("no deadline")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """On a slow machine ``make test`` ends within an hour too: the slowest tests are for ``make test-all``."""
    if os.environ.get("TRACKREC_SLOW") == "1":
        return
    for item in items:
        if item.get_closest_marker("slow"):
            item.add_marker(pytest.mark.skip(reason="takes minutes: TRACKREC_SLOW=1, make test-all"))


@pytest.fixture(autouse=True, scope="module")
def memory_given_back() -> Iterator[None]:
    """After each file: what models held is free then, yet glibc keeps it, and one process runs all files."""
    yield
    gc.collect()
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None).malloc_trim(0)


@pytest.fixture(scope="session")
def settings() -> Settings:
    return load_settings(CONF)


@pytest.fixture(scope="session")
def spark(settings: Settings) -> Iterator[object]:
    from trackrec.runtime.session import spark_session

    session = spark_session(settings, "tests")
    for key, value in TINY.items():
        session.conf.set(key, value)
    yield session
    session.stop()
