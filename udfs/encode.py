"""The encoder inside Spark's Python workers: mapInPandas over RecCoTs and the facts of their histories."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from trackrec.models.resolve import Model
from trackrec.tables.schemas import PART_VECTORS, RECCOT_EMBEDDINGS
from udfs.encoder import encoder_of, gathered

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = RECCOT_EMBEDDINGS.without_stamp.column_names
OUTPUT_SCHEMA = RECCOT_EMBEDDINGS.without_stamp.spark_schema()

# (RecCoT, titles that may stand in it) -> what of it is liked, avoided and expected; "" where it has no such part
ReadParts = Callable[[str, Sequence[str]], tuple[str, str, str]]


def encode_udf(
    model: Model, version: str, read_parts: ReadParts, batch_size: int, threads: int
) -> Callable[[Iterator[pd.DataFrame]], Iterator[pd.DataFrame]]:
    """The function for ``mapInPandas(…, OUTPUT_SCHEMA)``.

    Input: row_key, user_id, prompt_key, as_of, source_max_time, text, facts, titles (array<string>). Output:
    ``reccot_embeddings`` without run_id and created_time, encoder_version ``version``; a part that a text does not have
    is None. ``read_parts`` is pickled.
    """

    def encode(frames: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        encoder = encoder_of(model, threads)
        for frame in gathered(frames):
            yield _encoded(frame, encoder, version, read_parts, batch_size)

    return encode


def _encoded(frame: pd.DataFrame, encoder: Any, version: str, read_parts: ReadParts, batch_size: int) -> pd.DataFrame:
    """All texts in one call, which encodes each distinct one once."""
    from trackrec.engines.encoder import encode_texts

    parts = [read_parts(text, list(titles)) for text, titles in zip(frame["text"], frame["titles"], strict=True)]
    columns: dict[str, list[Any]] = {"reccot_vector": list(frame["text"]), "prompt_vector": list(frame["facts"])}
    columns |= {name: [of_text[i] for of_text in parts] for i, name in enumerate(PART_VECTORS)}
    distinct = list(dict.fromkeys(text for texts in columns.values() for text in texts if text))
    vectors = dict(zip(distinct, encode_texts(encoder, distinct, batch_size), strict=True))
    encoded: dict[str, Any] = {name: [vectors.get(text) for text in texts] for name, texts in columns.items()}
    return frame.assign(encoder_version=version, **encoded)[COLUMNS]
