"""The encoder inside Spark's Python workers: mapInPandas over the texts of items."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from trackrec.models.resolve import Model
from trackrec.tables.schemas import ITEM_VECTORS
from udfs.encoder import encoder_of, gathered

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ITEM_VECTORS.without_stamp.column_names
OUTPUT_SCHEMA = ITEM_VECTORS.without_stamp.spark_schema()


def encode_items_udf(
    model: Model, batch_size: int, threads: int
) -> Callable[[Iterator[pd.DataFrame]], Iterator[pd.DataFrame]]:
    """The function for ``mapInPandas(…, OUTPUT_SCHEMA)``.

    Input: item_id, item_key, text_source, text, attributes. Output: ``item_vectors`` without run_id and created_time.
    """

    def encode(frames: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        from trackrec.engines.encoder import encode_texts

        encoder = encoder_of(model, threads)
        for frame in gathered(frames):
            vectors = encode_texts(encoder, list(frame["text"]), batch_size)
            yield frame.assign(encoder_version=model.version, item_vector=list(vectors))[COLUMNS]

    return encode
