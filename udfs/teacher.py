"""A teacher that needs no model, inside Spark's Python workers: mapInPandas over histories."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from trackrec.tables.schemas import RECCOTS

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = RECCOTS.without_stamp.column_names
OUTPUT_SCHEMA = RECCOTS.without_stamp.spark_schema()
_NO_MODEL = {
    "sample_number": 0,
    "status": "ok",
    "prompt_tokens": 0,
    "output_tokens": 0,
    "finish_reason": "stop",
    "latency_ms": 0.0,
    "engine": "teacher",
    "error": None,
    "error_kind": None,
}

WriteText = Callable[[Mapping[str, Any]], str]  # row of user_histories -> RecCoT


def teacher_udf(
    write_text: WriteText, version: str, sampling: str
) -> Callable[[Iterator[pd.DataFrame]], Iterator[pd.DataFrame]]:
    """The function for ``mapInPandas(…, OUTPUT_SCHEMA)``; ``write_text`` is pickled.

    Input: row_key, user_id, prompt_key, as_of, source_max_time, seed (long) and what ``write_text`` reads. Output:
    ``reccots`` without run_id and created_time, one row each, by the teacher ``version``; ``sampling`` as JSON.
    """
    constants: dict[str, Any] = {**_NO_MODEL, "generator_version": version, "engine_id": version, "sampling": sampling}

    def write(frames: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        for frame in frames:
            rows: list[Any] = frame.to_dict("records")
            texts = [write_text(row) for row in rows]
            yield frame.assign(**constants, text=texts, raw_text=texts)[COLUMNS]

    return write
