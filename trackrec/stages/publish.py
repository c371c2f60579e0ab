"""reccot_embeddings → reccot_vectors: checks first, then the only write of the table that consumers read."""

from __future__ import annotations

from pyspark.sql import functions as F

from trackrec.histories.snapshots import current_histories
from trackrec.reccots.feature_version import feature_spec_of
from trackrec.reccots.features import feature_rows, served_reccots
from trackrec.reccots.gates import gate_vectors
from trackrec.runtime.console import stage
from trackrec.stages.job import Job


def run(job: Job) -> None:
    """Publish every history that has vectors; raises QualityGateError, with nothing written, when a check fails."""
    settings = job.settings
    with stage("publish") as line:
        spec = feature_spec_of(settings)
        histories = current_histories(job.warehouse.read("user_histories"), spec.template.version)
        reccots = served_reccots(job.warehouse.read("reccots"), spec)
        embeddings = job.warehouse.read("reccot_embeddings").where(F.col("encoder_version") == spec.encoder.version)
        rows = feature_rows(histories, reccots, embeddings, spec.feature_version)
        asked = histories.count()
        shares = gate_vectors(rows, asked, settings.encoder.vector_size, settings.quality)
        written = job.warehouse.upsert("reccot_vectors", job.stamp(rows))
        line.counts = {"rows": written, "unchanged": round(shares["coverage"] * asked) - written}
        line.notes = [f"coverage {shares['coverage']:.3f}", f"feature_version {spec.feature_version}"]
    job.counts |= {f"publish_{word}": count for word, count in line.counts.items()} | shares
