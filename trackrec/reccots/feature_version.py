"""Template, generator, sampling and encoder of the settings: together they are one feature version."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from trackrec.histories.templates import Template, template_of
from trackrec.models.resolve import Model, resolve_model
from trackrec.reccots.requests import canonical
from trackrec.runtime.settings import ModelSettings, Settings


@dataclass(frozen=True)
class FeatureSpec:
    """What a feature version names: besides the history, what a vector is made with."""

    template: Template
    generator: Model
    sampling: str  # canonical JSON
    encoder: Model

    @property
    def feature_version(self) -> str:
        """16 hex digits of the sha256 of the versions of all four."""
        parts = (self.template.version, self.generator.version, self.sampling, self.encoder.version)
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def feature_spec_of(settings: Settings) -> FeatureSpec:
    """The features of these settings; fetches weights once, raises BadInputError for a model that cannot be had."""

    def resolved(model: ModelSettings) -> Model:
        return resolve_model(model.source, settings.cache_dir(), model.sha256)

    return FeatureSpec(
        template_of(settings.prompt, settings.histories),
        resolved(settings.generator.model),
        canonical(settings.generator.sampling),
        resolved(settings.encoder.model),
    )
