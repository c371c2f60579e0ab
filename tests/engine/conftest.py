"""Real weights, fetched once into the user's cache as the jobs do it."""

from __future__ import annotations

import pytest

from tests.conftest import CONF
from tests.engine.asking import OPENING
from trackrec.engines.spec import EngineSpec
from trackrec.models.resolve import Model, resolve_model
from trackrec.runtime.settings import SamplingSettings
from trackrec.runtime.settings_files import load_settings


@pytest.fixture(scope="session")
def smollm2() -> Model:
    """The base of ``conf/base.yaml``: the demo's G is an adapter over it."""
    settings = load_settings(CONF.parent / "base.yaml")
    return resolve_model(settings.generator.model.source, settings.cache_dir())


@pytest.fixture(scope="session")
def spec(smollm2: Model) -> EngineSpec:
    return EngineSpec(
        smollm2,
        "vllm",
        SamplingSettings(max_tokens=96, frequency_penalty=0.4),
        OPENING,
        deterministic=True,
        kv_cache_gb=1,
    )
