"""What an engine is built from, and the name of the arithmetic that its texts come from."""

from __future__ import annotations

import importlib.util
import sys
from dataclasses import dataclass, fields, replace
from functools import cache
from typing import Any

from trackrec.models.resolve import Model
from trackrec.runtime.settings import (
    EngineSettings,
    GeneratorSettings,
    SamplingSettings,
    TeacherModelSettings,
    ValidatorSettings,
)

COUNTED = "counted"  # the engine of a V without an LLM


@dataclass(frozen=True)
class EngineSpec:
    """Everything an engine is built from; travels to the executors by pickle. Units as in GeneratorSettings.

    With ``answers`` the engine writes nothing: a request is one prefill that scores each answer as what comes next.
    """

    model: Model
    engine: str
    sampling: SamplingSettings
    opening: str = ""
    answers: tuple[str, ...] = ()
    dtype: str = "bfloat16"
    deterministic: bool = False
    max_model_len: int = 1024
    max_num_seqs: int = 64
    high_water: int = 128
    kv_cache_gb: int = 2
    kv_block: int | None = None
    max_packed_tokens: int = 4096
    threads: int = 2

    @classmethod
    def for_generator(cls, settings: GeneratorSettings, model: Model, opening: str = "") -> EngineSpec:
        """The spec of G that the settings name; ``opening`` is the template's."""
        return cls(model=model, sampling=settings.sampling, opening=opening, **_shared(settings))

    @classmethod
    def for_teacher(cls, settings: TeacherModelSettings, model: Model, opening: str) -> EngineSpec:
        """The spec of a teacher that writes greedily, at most one line; ``opening`` is the template's."""
        return cls(
            model=model, sampling=SamplingSettings(max_tokens=settings.max_tokens), opening=opening, **_shared(settings)
        )

    @classmethod
    def for_validator(cls, settings: ValidatorSettings, model: Model) -> EngineSpec:
        """The spec of V that the settings name."""
        return cls(
            model=model,
            sampling=SamplingSettings(),
            answers=settings.answers,
            max_packed_tokens=settings.max_packed_tokens,
            **_shared(settings),
        )

    def resolved(self) -> EngineSpec:
        """The same spec with its engine's own name for ``auto``: executors then run what ``compute`` says."""
        return replace(self, engine=resolved_engine(self.engine))


def compute_of(settings: EngineSettings) -> str:
    """What decides a text besides weights and sampling, e.g. ``vllm.float32.deterministic``, ``vllm.bfloat16``.

    dtype and deterministic as they are set: that deterministic is float32 on a CPU is the engine's own rule, and what a
    GPU does with it the GPU's. ``scripted`` and ``counted`` depend on neither. ``auto`` is resolved: ask on the driver.
    """
    name = resolved_engine(settings.engine)
    if name in ("scripted", COUNTED):
        return name
    return ".".join([name, settings.dtype, *(["deterministic"] if settings.deterministic else [])])


@cache
def resolved_engine(name: str) -> str:
    """``name``; for ``auto`` vllm where it is importable, else transformers, which is printed once a process."""
    if name != "auto":
        return name
    if importlib.util.find_spec("vllm"):
        return "vllm"
    print("trackrec: vLLM is not installed; the transformers engine runs, about 4 times slower.", file=sys.stderr)
    return "transformers"


def _shared(settings: EngineSettings) -> dict[str, Any]:
    names = {field.name for field in fields(EngineSpec)} & set(EngineSettings.model_fields)
    return {name: getattr(settings, name) for name in names}
