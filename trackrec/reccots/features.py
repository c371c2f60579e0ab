"""The rows that consumers read: each history's RecCoT and vectors under one feature version."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from trackrec.reccots.feature_version import FeatureSpec
from trackrec.tables.schemas import PART_VECTORS

_IDENTITY = ("user_id", "as_of", "feature_version", "row_key", "encoder_version", "source_max_time")
VECTORS = ("reccot_vector", "prompt_vector", *PART_VECTORS)


def written_by(texts: DataFrame, generator_version: str, sampling: str) -> DataFrame:
    """The rows of a table of G's texts, or of its staging table, by this writer and sampling (canonical JSON)."""
    return texts.where((F.col("generator_version") == generator_version) & (F.col("sampling") == sampling))


def asked_reccots(reccots: DataFrame, spec: FeatureSpec) -> DataFrame:
    """Sample 0 of this writer and sampling, which is what is served; of ``reccots`` or its staging table."""
    return written_by(reccots, spec.generator_version, spec.sampling).where(F.col("sample_number") == 0)


def served_reccots(reccots: DataFrame, spec: FeatureSpec) -> DataFrame:
    """The RecCoTs that are served: of ``asked_reccots`` those that are whole or cut to whole sentences."""
    return asked_reccots(reccots, spec).where(F.col("status").isin("ok", "cut"))


def feature_rows(histories: DataFrame, reccots: DataFrame, embeddings: DataFrame, feature_version: str) -> DataFrame:
    """Rows of ``reccot_vectors`` without run_id and created_time, one a history that has a RecCoT and its vectors.

    A RecCoT is shared by all snapshots of a user that have the same prompt; as_of and source_max_time are the
    snapshot's own.
    """
    texts = reccots.select("row_key", "prompt_key", "status", F.col("text").alias("reccot"), "generator_version")
    vectors = embeddings.select("row_key", "encoder_version", *VECTORS)
    return (
        histories.select("user_id", "as_of", "source_max_time", "prompt_key", "template_version")
        .join(texts, "prompt_key")
        .join(vectors, "row_key")
        .withColumn("feature_version", F.lit(feature_version))
    )


def unpublished(rows: DataFrame, published: DataFrame) -> DataFrame:
    """The feature ``rows`` that ``reccot_vectors`` as ``published`` lacks, or has of another RecCoT or newest event.

    Text and vectors follow from the two versions and the row_key, so none of them is read to find out.
    """
    return rows.join(published.select(*_IDENTITY), list(_IDENTITY), "left_anti")
