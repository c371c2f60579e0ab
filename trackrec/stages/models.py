"""The models of a night, fetched first: one that cannot be had ends the job before anything is written."""

from __future__ import annotations

from trackrec.reccots.feature_version import feature_spec_of
from trackrec.runtime.events import Outcome
from trackrec.runtime.run import Run
from trackrec.tables.warehouse import Warehouse


def fetch_models(run: Run, tables: Warehouse) -> Outcome:
    """Fetch the weights of G and the encoder where they are not there yet; raises BadInputError."""
    with run.stage("models") as stage:
        spec = feature_spec_of(run.settings)
        stage.labels = {"generator": spec.generator_version, "encoder": spec.encoder_version}
    return stage.outcome
