"""reccots → reccot_embeddings: the RecCoT and its prompt as vectors."""

from __future__ import annotations

from pyspark.sql import functions as F

from trackrec.histories.snapshots import current_histories
from trackrec.reccots.feature_version import feature_spec_of
from trackrec.reccots.features import served_reccots
from trackrec.runtime.console import stage
from trackrec.stages.job import Job


def run(job: Job) -> None:
    """Encode every served RecCoT that has no vectors of this encoder version yet."""
    from udfs.encode import OUTPUT_SCHEMA, encode_udf

    settings = job.settings.encoder
    with stage("encode") as line:
        spec = feature_spec_of(job.settings)
        histories = current_histories(job.warehouse.read("user_histories"), spec.template.version)
        reccots = served_reccots(job.warehouse.read("reccots"), spec)
        prompts = histories.groupBy("prompt_key").agg(F.min("prompt_body").alias("prompt_body"))
        told = reccots.join(prompts, "prompt_key")
        embedded = job.warehouse.read_or_empty("reccot_embeddings")
        done = embedded.where(F.col("encoder_version") == spec.encoder.version)
        pending = told.join(done, "row_key", "left_anti").select(
            "row_key", "user_id", "prompt_key", "as_of", "source_max_time", "text", "prompt_body"
        )
        total = told.count()
        line.counts = {"rows": 0, "unchanged": total}
        if not pending.isEmpty():
            udf = encode_udf(spec.encoder, settings.batch_size, settings.threads)
            vectors = pending.repartition(settings.partitions).mapInPandas(udf, OUTPUT_SCHEMA)
            with job.warehouse.materialised(vectors) as rows:
                line.counts["rows"] = job.warehouse.insert_new("reccot_embeddings", job.stamp(rows))
            line.counts["unchanged"] = total - line.counts["rows"]
    job.counts |= {f"encode_{word}": count for word, count in line.counts.items()}
