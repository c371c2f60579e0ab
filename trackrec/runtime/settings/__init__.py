"""One typed tree of settings, with its defaults; ``trackrec.runtime.settings_files`` reads what stands above them."""

from __future__ import annotations

from trackrec.runtime.settings.ctr import CtrSettings
from trackrec.runtime.settings.describe import DescribeSettings
from trackrec.runtime.settings.engines import (
    EncoderSettings,
    EngineSettings,
    GeneratorSettings,
    ModelSettings,
    SamplingSettings,
    ValidatorSettings,
)
from trackrec.runtime.settings.histories import HistorySettings, PromptSettings, QualitySettings, WindowSettings
from trackrec.runtime.settings.lease import LeaseSettings
from trackrec.runtime.settings.section import Section, UtcTime
from trackrec.runtime.settings.sources import SourceSettings, TableSource
from trackrec.runtime.settings.training import (
    AlignmentSettings,
    DistillSettings,
    EndpointSettings,
    FeedbackSettings,
    GroupTrainingSettings,
    LoopSettings,
    LoraSettings,
    RecTuningSettings,
    Reward,
    TeacherModelSettings,
    TrainingSettings,
    TrainSettings,
)
from trackrec.runtime.settings.tree import Settings

__all__ = [
    "AlignmentSettings",
    "CtrSettings",
    "DescribeSettings",
    "DistillSettings",
    "EncoderSettings",
    "EndpointSettings",
    "EngineSettings",
    "FeedbackSettings",
    "GeneratorSettings",
    "GroupTrainingSettings",
    "HistorySettings",
    "LeaseSettings",
    "LoopSettings",
    "LoraSettings",
    "ModelSettings",
    "PromptSettings",
    "QualitySettings",
    "RecTuningSettings",
    "Reward",
    "SamplingSettings",
    "Section",
    "Settings",
    "SourceSettings",
    "TableSource",
    "TeacherModelSettings",
    "TrainSettings",
    "TrainingSettings",
    "UtcTime",
    "ValidatorSettings",
    "WindowSettings",
]
