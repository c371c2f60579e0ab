"""Which V the settings name: its model, its prompt, and the version over both."""

from __future__ import annotations

from dataclasses import dataclass

from trackrec.engines.spec import EngineSpec, compute_of
from trackrec.feedback.templates import ValidatorTemplate
from trackrec.histories.templates import template_of
from trackrec.models.resolve import Model, resolve
from trackrec.runtime.settings import EngineSettings, Settings, ValidatorSettings


@dataclass(frozen=True)
class Validator:
    """V: its settings, weights and prompt. The same weights behind another prompt are another V."""

    settings: ValidatorSettings
    model: Model
    template: ValidatorTemplate

    @property
    def version(self) -> str:
        """validator_version: model, what computes it, prompt, e.g. ``SmolLM2@0a1b2c3d4e5f+vllm.bfloat16+validator@…``.

        Engine, dtype and ``deterministic`` change V's probabilities as they change G's texts.
        """
        return f"{self.model.version}+{compute_of(self.settings)}+{self.template.version}"

    @property
    def spec(self) -> EngineSpec:
        """The engine that scores V's answers."""
        return EngineSpec.for_validator(self.settings, self.model)


def validator_settings(settings: Settings) -> ValidatorSettings:
    """The settings of V; without any, V starts from G's base model in an engine like G's."""
    if settings.validator is not None:
        return settings.validator
    shared = set(EngineSettings.model_fields) - {"chunk_rows"}
    like_generator = {name: getattr(settings.generator, name) for name in shared}
    return ValidatorSettings(model=settings.generator.model, **like_generator)


def validator_of(settings: Settings) -> Validator:
    """The V that the settings name; BadInputError where its weights cannot be had."""
    chosen = validator_settings(settings)
    facts = template_of(settings.prompt, settings.histories)
    template = ValidatorTemplate(facts, settings.feedback.validator_reads, answers=chosen.answers)
    return Validator(chosen, resolve(chosen.model, settings.cache_dir()), template)
