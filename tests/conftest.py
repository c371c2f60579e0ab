"""One Spark session with Delta for all tests that need it, started as the jobs start it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from trackrec.config import Settings, load_settings

ROOT = Path(__file__).parent.parent
CONF = ROOT / "conf" / "demo.yaml"


@pytest.fixture(scope="session")
def settings() -> Settings:
    return load_settings(CONF)


@pytest.fixture(scope="session")
def spark(settings: Settings) -> Iterator[object]:
    from trackrec.session import spark_session

    session = spark_session(settings, "tests")
    yield session
    session.stop()
