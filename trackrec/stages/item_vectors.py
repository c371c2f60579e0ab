"""Texts of items → item_vectors: only new or changed ones are encoded, and rows of superseded texts go."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from trackrec.models.resolve import Model
from trackrec.reccots.gates import gate_item_vectors
from trackrec.runtime.events import Stage
from trackrec.runtime.run import Run
from trackrec.tables.keys import bucket_of, key_of
from trackrec.tables.stamp import stamped
from trackrec.tables.warehouse import Warehouse

_CHUNK_ITEMS = 20_000  # between two commits, a few minutes on 2 cores: what a killed run had committed stays
_SAME_TEXT = "old.item_id = new.item_id AND old.item_key = new.item_key AND old.encoder_version = new.encoder_version"
_SUPERSEDED = (
    "old.item_id = new.item_id AND old.item_key != new.item_key AND old.text_source = new.text_source "
    "AND old.encoder_version = new.encoder_version"
)


def write_item_vectors(run: Run, tables: Warehouse, stage: Stage, texts: DataFrame, encoder: Model) -> None:
    """Make ``item_vectors`` hold the vectors of ``texts``, and of no earlier text of the same items and source.

    ``texts``: item_id, text_source, text (none NULL), attributes (array<string>, may be NULL); a row an item and
    text_source. Other encoders' and sources' rows stay, and so do those of items that ``texts`` lacks. Counts in
    ``stage``: rows (encoded), unchanged, superseded (deleted, once the new rows are written). Raises QualityGateError,
    with nothing of its chunk written, for vectors that are not finite, of unit norm and of encoder.vector_size floats.
    """
    keyed = texts.withColumns(
        {"item_key": key_of("text_source", "text"), "encoder_version": F.lit(encoder.version)}
    ).persist()
    stage.counts |= {"rows": 0, "unchanged": 0, "superseded": 0}
    try:
        compared = _compared(tables, keyed)
        total, new, other_attributes = _counted(compared)
        if not total:
            return
        stage.counts["unchanged"] = total - new
        _encode(run, tables, stage, compared.where("is_new"), new, encoder)
        if other_attributes:  # their text is the same: a genre "a, b" became two
            tables.update(
                "item_vectors",
                keyed,
                f"{_SAME_TEXT} AND NOT (old.attributes <=> new.attributes)",
                {"attributes": "new.attributes"},
            )
        stage.counts["superseded"] = tables.delete_matching("item_vectors", keyed, _SUPERSEDED)
    finally:
        keyed.unpersist()


def _compared(tables: Warehouse, keyed: DataFrame) -> DataFrame:
    """Add is_new: there is no vector of the text yet; and other_attributes: there is one, beside other attributes."""
    stored = tables.read_or_empty("item_vectors").select(
        "item_id",
        "item_key",
        "encoder_version",
        F.col("attributes").alias("stored_attributes"),
        F.lit(True).alias("stored"),
    )
    is_new = F.col("stored").isNull()
    differs = ~is_new & ~F.col("attributes").eqNullSafe(F.col("stored_attributes"))
    joined = keyed.join(stored, ["item_id", "item_key", "encoder_version"], "left")
    return joined.withColumns({"is_new": is_new, "other_attributes": differs}).drop("stored", "stored_attributes")


def _counted(compared: DataFrame) -> tuple[int, int, int]:
    """How many texts there are, how many are new, and of how many the attributes differ."""
    row = compared.agg(F.count("*"), F.count_if("is_new"), F.count_if("other_attributes")).first()
    assert row is not None  # an aggregate without groups has one row
    return row[0], row[1], row[2]


def _encode(run: Run, tables: Warehouse, stage: Stage, texts: DataFrame, total: int, encoder: Model) -> None:
    from udfs.encode_items import OUTPUT_SCHEMA, encode_items_udf

    settings = run.settings.encoder
    udf = encode_items_udf(encoder, settings.batch_size, settings.threads)
    chunks = -(-total // _CHUNK_ITEMS)
    for chunk in range(chunks):
        pending = texts.where(bucket_of("item_key", chunks) == chunk)
        pending = pending.select("item_id", "item_key", "text_source", "text", "attributes")
        vectors = pending.repartition(settings.partitions).mapInPandas(udf, OUTPUT_SCHEMA)
        with tables.materialised(vectors) as rows:
            gate_item_vectors(rows, settings.vector_size)
            stage.counts["rows"] += tables.insert_new("item_vectors", stamped(rows, run.stamp()))
        stage.progress(stage.counts["rows"], total, "items")
