"""Which template, generator, sampling and encoder the settings name: together, one feature version."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from trackrec.histories.prompts import Template, template_of
from trackrec.models.resolve import Model, resolve_model
from trackrec.runtime.settings import ModelSettings, Settings


@dataclass(frozen=True)
class Serving:
    """Everything besides the history that decides a feature vector."""

    template: Template
    generator: Model
    sampling: str  # canonical JSON
    encoder: Model

    @property
    def feature_version(self) -> str:
        """16 hex digits of the sha256 of all four versions."""
        parts = (self.template.version, self.generator.version, self.sampling, self.encoder.version)
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def serving_of(settings: Settings) -> Serving:
    """Resolve the models (fetching weights once); raises BadInputError for one that cannot be had."""

    def resolved(model: ModelSettings) -> Model:
        return resolve_model(model.source, settings.cache_dir(), model.sha256)

    return Serving(
        template_of(settings.prompt, settings.histories),
        resolved(settings.generator.model),
        settings.generator.sampling.canonical(),
        resolved(settings.encoder.model),
    )
