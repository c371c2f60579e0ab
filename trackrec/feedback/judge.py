"""Which V the settings name: its model, its prompt, and the version over both."""

from __future__ import annotations

from dataclasses import dataclass

from trackrec.feedback.templates import ValidatorTemplate
from trackrec.histories.templates import template_of
from trackrec.models.resolve import Model, resolve
from trackrec.runtime.settings import EngineSettings, Settings, ValidatorSettings


@dataclass(frozen=True)
class Judge:
    """V: weights and prompt. The same weights asked in other words are another V."""

    model: Model
    template: ValidatorTemplate

    @property
    def version(self) -> str:
        """``<model>@<hash>+validator@<hash>``, as in validator_version."""
        return f"{self.model.version}+{self.template.version}"


def validator_settings(settings: Settings) -> ValidatorSettings:
    """The settings of V; without any, V starts from G's base model in an engine like G's."""
    if settings.validator is not None:
        return settings.validator
    shared = set(EngineSettings.model_fields) - {"chunk_rows"}
    told = {name: getattr(settings.generator, name) for name in shared}
    return ValidatorSettings(model=settings.generator.model, **told)


def judge_of(settings: Settings) -> Judge:
    """The V that the settings name; BadInputError where its weights cannot be had."""
    chosen = validator_settings(settings)
    template = ValidatorTemplate(template_of(settings.prompt, settings.histories), answers=chosen.answers)
    return Judge(resolve(chosen.model, settings.cache_dir()), template)
