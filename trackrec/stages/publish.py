"""reccot_embeddings → reccot_vectors: checks first, then the only write of the table that consumers read."""

from __future__ import annotations

from pyspark.sql import functions as F

from trackrec.reccots.feature_version import FeatureSpec, feature_spec_of
from trackrec.reccots.features import feature_rows, served_reccots
from trackrec.reccots.gates import gate_vectors
from trackrec.runtime.events import Outcome
from trackrec.runtime.run import Run
from trackrec.stages.inputs import stored_histories
from trackrec.tables.stamp import stamped
from trackrec.tables.warehouse import Warehouse


def publish_features(run: Run, tables: Warehouse, spec: FeatureSpec | None = None) -> Outcome:
    """Publish every history that has vectors; raises QualityGateError, with nothing written, when a check fails.

    ``spec``: whose RecCoTs; None: those of the settings' G.
    """
    settings = run.settings
    with run.stage("publish") as stage:
        spec = spec or feature_spec_of(settings)
        histories = stored_histories(settings, tables)
        reccots = served_reccots(tables.read("reccots"), spec)
        embeddings = tables.read("reccot_embeddings").where(F.col("encoder_version") == spec.encoder_version)
        rows = feature_rows(histories, reccots, embeddings, spec.feature_version)
        snapshots = histories.count()
        shares = gate_vectors(rows, snapshots, settings.encoder.vector_size, settings.quality)
        written = tables.upsert("reccot_vectors", stamped(rows, run.stamp()))
        stage.counts = {"rows": written, "unchanged": round(shares["coverage"] * snapshots) - written}
        stage.figures = shares
        stage.labels = {"feature_version": spec.feature_version}
    return stage.outcome
