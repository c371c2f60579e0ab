"""Spark jobs of G: over a group of a chunk's requests and over a canary; and the rows of a request that is given up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from trackrec.engines.spec import EngineSpec
from trackrec.reccots.requests import balanced
from trackrec.runtime.errors import LostWorkerError, is_worker_lost
from trackrec.runtime.gpus import gpu_profile
from trackrec.runtime.progress_channel import ProgressChannel
from trackrec.runtime.settings import GeneratorSettings
from trackrec.stages.lost_workers import Group
from trackrec.tables.schemas import GeneratedTables
from trackrec.tables.schemas.generated import FAILED

if TYPE_CHECKING:
    from udfs.generate import ReadText

KILLS_ENGINE = "kills_engine"  # the reason in quarantine of a request that ends its worker
NEVER_ENDS = "never_ends"  # of one whose worker had to end itself
_CANARY = "Say yes. "


@dataclass(frozen=True)
class GenerationJob:
    """What a stage's jobs have in common. Frames in: requests, as ``requests`` makes them; out: ``tables.written``."""

    settings: GeneratorSettings
    tables: GeneratedTables
    read_text: ReadText
    spec: EngineSpec
    version: str
    channel: ProgressChannel

    def rows(self, chunk: DataFrame, group: Group) -> DataFrame:
        """G's rows for the requests of ``group`` out of ``chunk``; evaluated once, by whoever writes them."""
        from udfs.generate import generate_udf

        self.channel.clear_requests()
        udf = generate_udf(
            self.spec,
            self.version,
            self.tables,
            self.read_text,
            self.channel.sender,
            stall_seconds=self.settings.stall_seconds,
            window=group.window,
        )
        asked = chunk
        if group.keys is not None:
            keys = chunk.sparkSession.createDataFrame([(key,) for key in group.keys], "prompt_key string")
            asked = chunk.join(F.broadcast(keys), "prompt_key", "left_semi")
        return balanced(asked, self.settings.engines).mapInPandas(
            udf, self.tables.written.spark_schema(), profile=gpu_profile(self.settings)
        )

    def require_engine(self, lethal: DataFrame) -> None:
        """Raise LostWorkerError unless an engine serves a canary in the place of ``lethal``, one request.

        The canary is as long as the request: memory that suffices for no whole prompt is no row's fault.
        """
        body = F.rpad(F.lit(_CANARY), F.length("prompt_body"), _CANARY)
        canary = lethal.withColumns({"prompt_key": F.lit("canary"), "prompt_body": body})
        try:
            self.rows(canary, Group(window=1)).collect()
        except Exception as error:
            if not is_worker_lost(error):
                raise
            raise LostWorkerError(
                "G's Python worker dies with any prompt, so no row is to blame.",
                "Look into the log and the system's for why: memory, the driver of the GPU, the installation of vLLM.",
            ) from error

    def given_up(self, lethal: DataFrame, reason: str) -> DataFrame:
        """The rows of a request that ends its worker each time: permanent faults, which are asked for no more."""
        said = {
            KILLS_ENGINE: "its Python worker died each time, twice with nothing else, and served another prompt",
            NEVER_ENDS: f"no answer in generator.stall_seconds {self.settings.stall_seconds:g}, twice by itself",
        }[reason]
        constants = {
            "generator_version": self.version,
            "sampling": self.spec.sampling.canonical(),
            **FAILED,
            "prompt_tokens": 0,
            "latency_ms": 0.0,
            "engine": self.spec.resolved().engine,
            "engine_id": "",
            "error": f"{reason}: {said}",
            "error_kind": "permanent",
        }
        samples = lethal.select("*", F.posexplode("row_keys").alias("sample_number", "row_key"))
        rows = samples.withColumns({name: F.lit(value) for name, value in constants.items()})
        return rows.select(*self.tables.written.column_names)
