"""The encoder inside Spark's Python workers: mapInPandas over RecCoTs and their prompts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from trackrec.models.resolve import Model
from trackrec.tables.schemas import RECCOT_EMBEDDINGS
from udfs.encoder import encoder_of, gathered

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = RECCOT_EMBEDDINGS.without_stamp.column_names
OUTPUT_SCHEMA = RECCOT_EMBEDDINGS.without_stamp.spark_schema()


def encode_udf(
    model: Model, batch_size: int, threads: int
) -> Callable[[Iterator[pd.DataFrame]], Iterator[pd.DataFrame]]:
    """The function for ``mapInPandas(…, OUTPUT_SCHEMA)``.

    Input: row_key, user_id, prompt_key, as_of, source_max_time, text, prompt_body. Output: ``reccot_embeddings``
    without run_id and created_time. all-MiniLM-L6-v2 reads 256 tokens: a RecCoT fits; of a longer
    prompt the end, that is the question and then the tallies, is not seen.
    """

    def encode(frames: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        encoder = encoder_of(model, threads)
        for frame in gathered(frames):
            yield _encoded(frame, encoder, model.version, batch_size)

    return encode


def _encoded(frame: pd.DataFrame, encoder: Any, version: str, batch_size: int) -> pd.DataFrame:
    from trackrec.engines.encoder import encode_texts

    vectors = encode_texts(encoder, [*frame["text"], *frame["prompt_body"]], batch_size)
    out = frame.assign(
        encoder_version=version,
        reccot_vector=list(vectors[: len(frame)]),
        prompt_vector=list(vectors[len(frame) :]),
    )
    return out[COLUMNS]
