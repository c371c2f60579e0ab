"""The tree of all settings."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator

from trackrec.runtime.places import checked_place
from trackrec.runtime.settings.ctr import CtrSettings
from trackrec.runtime.settings.describe import DescribeSettings
from trackrec.runtime.settings.engines import EncoderSettings, GeneratorSettings, ValidatorSettings
from trackrec.runtime.settings.histories import HistorySettings, PromptSettings, QualitySettings, WindowSettings
from trackrec.runtime.settings.lease import LeaseSettings
from trackrec.runtime.settings.maintenance import MaintenanceSettings
from trackrec.runtime.settings.section import Section
from trackrec.runtime.settings.sources import SourceSettings
from trackrec.runtime.settings.training import (
    AlignmentSettings,
    DistillSettings,
    FeedbackSettings,
    LoopSettings,
    RecTuningSettings,
    TrainSettings,
)


class Settings(Section):
    """The root: what belongs to no part of the flow, and a section for each part."""

    env: str = "local"
    warehouse: Annotated[str, AfterValidator(checked_place)] = "warehouse/local"  # a folder or URI, or catalog.schema
    cache: str = "~/.cache/trackrec"  # weights and example data
    spark_conf: str = "local"  # folder beside the settings file that holds spark-defaults.conf
    models: str = "models"  # folder of the adapters that training writes; on a cluster one that every executor sees
    # Spark's and vLLM's own output, and tracebacks. TRACKREC_LOG in the environment stands above it: under spark-submit
    # Spark opens its part before any setting is read.
    log: str = "logs/trackrec.log"
    lease: LeaseSettings = LeaseSettings()
    maintenance: MaintenanceSettings = MaintenanceSettings()
    source: SourceSettings = SourceSettings()
    quality: QualitySettings = QualitySettings()
    histories: HistorySettings = HistorySettings()
    windows: WindowSettings = WindowSettings()
    prompt: PromptSettings = PromptSettings()
    generator: GeneratorSettings
    describe: DescribeSettings = DescribeSettings()
    encoder: EncoderSettings
    validator: ValidatorSettings | None = None  # None: V starts from G's base model
    feedback: FeedbackSettings = FeedbackSettings()
    distill: DistillSettings = DistillSettings()
    align: AlignmentSettings = AlignmentSettings()
    tune: RecTuningSettings = RecTuningSettings()
    train: TrainSettings = TrainSettings()
    loop: LoopSettings = LoopSettings()
    ctr: CtrSettings = CtrSettings()

    def digest(self) -> str:
        """sha256 of all settings in force, for the run ledger."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()

    def cache_dir(self) -> Path:
        """The cache folder with ``~`` resolved."""
        return Path(self.cache).expanduser()
