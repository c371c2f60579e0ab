"""reccot_embeddings → reccot_vectors: checks first, then the only write of the table that consumers read."""

from __future__ import annotations

from pyspark.sql import functions as F

from trackrec.reccots.coverage import coverage_of
from trackrec.reccots.feature_version import FeatureSpec, feature_spec_of
from trackrec.reccots.features import asked_reccots, feature_rows, served_reccots, unpublished
from trackrec.reccots.gates import gate_vectors
from trackrec.reccots.requests import given_up
from trackrec.runtime.events import Outcome
from trackrec.runtime.run import Run
from trackrec.stages.inputs import of_users, stored_histories
from trackrec.tables.stamp import stamped
from trackrec.tables.warehouse import Warehouse


def publish_features(run: Run, tables: Warehouse, spec: FeatureSpec | None = None) -> Outcome:
    """Publish every history that has vectors; raises QualityGateError, with nothing written, when a check fails.

    ``spec``: whose RecCoTs; None: those of the settings' G.
    """
    settings = run.settings
    with run.stage("publish") as stage:
        spec = spec or feature_spec_of(settings)
        histories = of_users(settings, stored_histories(settings, tables))
        reccots = served_reccots(tables.read("reccots"), spec)
        embeddings = tables.read("reccot_embeddings").where(F.col("encoder_version") == spec.encoder_version)
        rows = feature_rows(histories, reccots, embeddings, spec.feature_version)
        night = settings.histories.only_night
        expected = histories if night is None else histories.where(F.col("as_of") == F.lit(night))
        faults = asked_reccots(tables.read_or_empty("reccot_staging"), spec).where("status = 'failed'")
        if not faults.isEmpty():  # of most nights: two windows over staging are planned for nothing
            faults = given_up(faults, max_attempts=settings.generator.max_attempts)
        coverage = coverage_of(expected, asked_reccots(tables.read("reccots"), spec), faults)
        new = unpublished(rows, tables.read_or_empty("reccot_vectors"))
        size, quality = settings.encoder.vector_size, settings.quality
        passed = gate_vectors(rows, coverage, size, quality, night, unpublished=new)
        written = tables.upsert("reccot_vectors", stamped(new, run.stamp()))
        stage.counts = {"rows": written, "unchanged": passed.rows - written}
        stage.figures = passed.shares
        stage.labels = {"feature_version": spec.feature_version}
        if night is not None:
            stage.labels["as_of"] = f"{night:%Y-%m-%d %H:%M}"
    return stage.outcome
