"""The generate UDF on real Spark and vLLM, cut and shuffled in several ways; run by test_determinism.py.

python -m tests.engine.partitions RESULT.json

A process of its own with one task slot (local[1,4]): partitions follow one another on one engine, as on a device
that holds one, and a killed worker is a new engine.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd
from pyspark import TaskContext
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from tests.engine.asking import OPENING, body
from trackrec.engines.spec import EngineSpec
from trackrec.models.resolve import Model, resolve_model
from trackrec.reccots.requests import requests
from trackrec.reccots.sentences import served_text
from trackrec.runtime.session import spark_session
from trackrec.runtime.settings import SamplingSettings
from trackrec.runtime.settings_files import load_settings
from trackrec.tables.schemas import RECCOT_TEXTS
from udfs.generate import generate_udf

HISTORIES = 8
SAMPLINGS = {
    "greedy": SamplingSettings(max_tokens=20),
    "temperature 1": SamplingSettings(temperature=1.0, top_p=0.95, n=2, max_tokens=20),
}
FILMS = ["Fargo", "Alien", "Casablanca", "The Piano", "Speed", "Psycho", "Clueless", "Gandhi"]
Udf = Callable[[Iterator[pd.DataFrame]], Iterator[pd.DataFrame]]


def main(result: str) -> None:
    os.environ["PYSPARK_SUBMIT_ARGS"] = "--master local[1,4] pyspark-shell"
    settings = load_settings("conf/local.yaml", [f"log={result}.log"])
    spark = spark_session(settings, "determinism")
    spark.conf.set("spark.sql.execution.arrow.maxRecordsPerBatch", "2")
    model = resolve_model(settings.generator.model.source, settings.cache_dir())
    found = {
        name: _ways(_asked(spark, model, sampling), _spec(model, sampling)) for name, sampling in SAMPLINGS.items()
    }
    Path(result).write_text(json.dumps(found))
    spark.stop()


def _spec(model: Model, sampling: SamplingSettings) -> EngineSpec:
    """Fewer sequences at once than requests, so that what runs beside a request depends on the order."""
    return EngineSpec(model, "vllm", sampling, OPENING, deterministic=True, max_num_seqs=4, high_water=6, kv_cache_gb=1)


def _asked(spark: SparkSession, model: Model, sampling: SamplingSettings) -> DataFrame:
    histories = spark.range(HISTORIES).select(
        F.concat(F.lit("u"), "id").alias("user_id"),
        F.sha2(F.col("id").cast("string"), 256).alias("prompt_key"),
        F.element_at(F.array([F.lit(_body(i)) for i in range(HISTORIES)]), (F.col("id") + 1).cast("int")).alias(
            "prompt_body"
        ),
        F.lit("2024-01-02").cast("timestamp").alias("as_of"),
        F.lit("2024-01-01").cast("timestamp").alias("source_max_time"),
    )
    return requests(histories, model.version, sampling, RECCOT_TEXTS.identity).persist()


def _body(i: int) -> str:
    """Prompts of several lengths about different films, so that greedy answers differ too."""
    titles = FILMS[i:] + FILMS[:i]
    return body(3 + 5 * i).replace("Toy Story", "; ".join(titles[: 1 + i % 4])).replace("Batman Forever", titles[-1])


def _ways(asked: DataFrame, spec: EngineSpec) -> dict[str, dict[str, list[str]]]:
    forward, backward = asked.coalesce(1).sortWithinPartitions("prompt_key"), asked.repartition(4, F.rand(7))
    udf = generate_udf(spec, spec.model.version, RECCOT_TEXTS, served_text)
    return {
        "1 partition": _texts(forward, udf),
        "4 partitions, shuffled": _texts(backward.sortWithinPartitions(F.desc("prompt_key")), udf),
        "retried": _texts(asked.repartition(2, "prompt_key"), _killed_once(udf)),
    }


def _texts(asked: DataFrame, udf: Udf) -> dict[str, list[str]]:
    """row_key -> text, engine."""
    rows = (
        asked.mapInPandas(udf, RECCOT_TEXTS.written.spark_schema()).select("row_key", "raw_text", "engine_id").collect()
    )
    assert len(rows) == len({row.row_key for row in rows})
    return {row.row_key: [row.raw_text, row.engine_id] for row in rows}


def _killed_once(udf: Udf) -> Udf:
    """As the out-of-memory killer does it: a task's first attempt dies in the middle of its requests."""

    def run(frames: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        def mortal() -> Iterator[pd.DataFrame]:
            task = TaskContext.get()
            for number, frame in enumerate(frames):
                if number == 1 and task.partitionId() == 0 and task.attemptNumber() == 0:
                    os.kill(os.getpid(), signal.SIGKILL)
                yield frame

        return udf(mortal())

    return run


if __name__ == "__main__":
    main(sys.argv[1])
