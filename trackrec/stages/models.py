"""The models of a night, fetched first: one that cannot be had ends the job before anything is written."""

from __future__ import annotations

from trackrec.reccots.feature_version import feature_spec_of
from trackrec.runtime.console import stage
from trackrec.stages.job import Job


def run(job: Job) -> None:
    """Fetch the weights of G and the encoder where they are not there yet; raises BadInputError."""
    with stage("models") as line:
        spec = feature_spec_of(job.settings)
        line.notes = [spec.generator.version, spec.encoder.version]
