"""Template, generator, sampling, encoder and what it encodes: together they are one feature version."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import NamedTuple

from trackrec.engines.spec import compute_of
from trackrec.histories.templates import Template, template_of
from trackrec.models.resolve import Model, resolve
from trackrec.runtime.settings import GeneratorSettings, Settings

# Counts up when what is encoded of a RecCoT or of its history changes: parts.py, preference_words.py, prompts.facts.
ENCODED_TEXTS = "parts2"


class GeneratorIdentity(NamedTuple):
    """Which G (or teacher), sampled how: columns of these names in ``reccots``, ``rec_tuning``, ``preferences``."""

    generator_version: str
    sampling: str  # canonical JSON


@dataclass(frozen=True)
class FeatureSpec:
    """What a feature version names: besides the history, what a vector is made with."""

    template: Template
    generator_version: str  # as in reccots: G's or a teacher's
    sampling: str  # canonical JSON
    encoder: Model

    @property
    def encoder_version(self) -> str:
        """The version in ``reccot_embeddings``: ``<encoder>@<hash>+parts2``, weights and what texts they are given."""
        return f"{self.encoder.version}+{ENCODED_TEXTS}"

    @property
    def feature_version(self) -> str:
        """As ``feature_version_of``."""
        return feature_version_of(self.template.version, self.generator_version, self.sampling, self.encoder_version)


def feature_spec_of(settings: Settings) -> FeatureSpec:
    """The features of these settings; fetches weights once, raises BadInputError for a model that cannot be had."""
    return feature_spec_by(generator_of(settings), settings)


def feature_spec_by(writer: GeneratorIdentity, settings: Settings) -> FeatureSpec:
    """The features of what ``writer`` wrote, with the settings' template and encoder; fetches the encoder alone."""
    return FeatureSpec(
        template_of(settings.prompt, settings.histories),
        *writer,
        resolve(settings.encoder.model, settings.cache_dir()),
    )


def generator_of(settings: Settings) -> GeneratorIdentity:
    """The identity of the settings' G; BadInputError where its weights cannot be had."""
    return generator_identity(settings.generator, resolve(settings.generator.model, settings.cache_dir()))


def generator_identity(settings: GeneratorSettings, model: Model) -> GeneratorIdentity:
    """The identity of G with the weights ``model``, which these settings run and sample."""
    return GeneratorIdentity(generator_version(settings, model), settings.sampling.canonical())


def generator_version(settings: GeneratorSettings, model: Model) -> str:
    """The version that G's rows carry: ``<model>@<hash>+<compute>``, e.g. ``SmolLM2@0a1b2c3d4e5f+vllm.bfloat16``.

    Engine, dtype and ``deterministic`` change texts as weights do (in bf16 1 of 48 texts, of 8 prompts asked alone 3),
    so a change of theirs is another G.
    """
    return f"{model.version}+{compute_of(settings)}"


def feature_version_of(template_version: str, generator_version: str, sampling: str, encoder_version: str) -> str:
    """16 hex digits of the sha256 of all four versions; ``sampling`` is canonical JSON."""
    parts = (template_version, generator_version, sampling, encoder_version)
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]
