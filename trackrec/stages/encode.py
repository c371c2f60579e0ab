"""reccots → reccot_embeddings: the RecCoT and its prompt as vectors."""

from __future__ import annotations

from pyspark.sql import functions as F

from trackrec.reccots.feature_version import feature_spec_of
from trackrec.reccots.features import served_reccots
from trackrec.runtime.events import Outcome
from trackrec.runtime.run import Run
from trackrec.stages.inputs import stored_histories
from trackrec.tables.stamp import stamped
from trackrec.tables.warehouse import Warehouse

_READ = ("row_key", "user_id", "prompt_key", "as_of", "source_max_time", "text", "prompt_body")


def encode_reccots(run: Run, tables: Warehouse) -> Outcome:
    """Encode every served RecCoT that has no vectors of this encoder version yet."""
    from udfs.encode import OUTPUT_SCHEMA, encode_udf

    settings = run.settings.encoder
    with run.stage("encode") as stage:
        spec = feature_spec_of(run.settings)
        histories = stored_histories(run.settings, tables)
        prompts = histories.groupBy("prompt_key").agg(F.min("prompt_body").alias("prompt_body"))
        reccots = served_reccots(tables.read("reccots"), spec).join(prompts, "prompt_key")
        stored = tables.read_or_empty("reccot_embeddings")
        encoded = stored.where(F.col("encoder_version") == spec.encoder.version)
        pending = reccots.join(encoded, "row_key", "left_anti").select(*_READ)
        total = reccots.count()
        stage.counts = {"rows": 0, "unchanged": total}
        if not pending.isEmpty():
            udf = encode_udf(spec.encoder, settings.batch_size, settings.threads)
            vectors = pending.repartition(settings.partitions).mapInPandas(udf, OUTPUT_SCHEMA)
            with tables.materialised(vectors) as rows:
                written = tables.insert_new("reccot_embeddings", stamped(rows, run.stamp()))
            stage.counts = {"rows": written, "unchanged": total - written}
    return stage.outcome
