"""reccots → rec_tuning → V_t: V's base tuned on what V's own users did after the RecCoTs of G_t."""

from __future__ import annotations

from pyspark.sql import functions as F

from trackrec.feedback.judge import judge_of
from trackrec.feedback.user_split import of_validator
from trackrec.runtime.console import stage
from trackrec.stages.job import Job
from trackrec.stages.validate import reccots_of, requests_of


def run(job: Job) -> None:
    """Write the rows that V is tuned on (users whom G is not judged on); a second run writes nothing."""
    with stage("rec_tuning") as line:
        template = judge_of(job.settings).template
        theirs = reccots_of(job).where(of_validator(F.col("user_id"), job.settings.feedback.validator_share))
        asked = requests_of(job, theirs, template, job.settings.tune.next_events).drop("request_key")
        named = theirs.select("row_key", "generator_version", "sampling")
        rows = asked.join(named, "row_key").withColumn("template_version", F.lit(template.version))
        line.counts["rows"] = job.warehouse.insert_new("rec_tuning", job.stamp(rows))
    job.counts["rec_tuning_rows"] = line.counts["rows"]
