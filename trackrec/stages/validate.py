"""reccots → validations → preferences: V judges G's candidates by what their users did next."""

from __future__ import annotations

from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from trackrec.engines.interface import EngineSpec
from trackrec.feedback import preferences as feedback
from trackrec.feedback import questions as validation
from trackrec.feedback.judge import judge_of, validator_settings
from trackrec.feedback.user_split import holdout_start, of_validator
from trackrec.histories.prompts import ValidatorTemplate
from trackrec.histories.snapshots import current_histories
from trackrec.histories.sources.cleaning import clean_items
from trackrec.histories.sources.reader import read_sources
from trackrec.models.resolve import resolve_model
from trackrec.reccots.requests import with_chunk
from trackrec.runtime.console import Stage, stage
from trackrec.runtime.errors import BadInputError
from trackrec.runtime.gpus import gpu_profile
from trackrec.runtime.settings import FeedbackSettings, ValidatorSettings
from trackrec.stages.job import Job
from trackrec.tables.quarantine import fault_rows

_DECILES = (0.1, 0.5, 0.9)


def run(job: Job) -> dict[str, Any]:
    """Score every candidate and event that this version of V has not scored, then rank the candidates.

    Candidates are the RecCoTs of the generator and sampling in the settings (``n`` of at least 2), of users whom V is
    not tuned on; events lie in the alignment window, before its hold-out. A second run does nothing. Returns the
    groups by verdict and the spread of their rewards.
    """
    settings, chosen = job.settings.feedback, validator_settings(job.settings)
    with stage("validate") as line:
        judge = judge_of(job.settings)
        template, version = judge.template, judge.version
        candidates = _candidates(job)
        requests = requests_of(job, candidates, template, settings.next_events)
        stored = job.warehouse.read_or_empty("validations")
        with job.warehouse.materialised(validation.unscored(requests, stored, version)) as pending:
            line.counts |= {"rows": 0, "unchanged": requests.count() - pending.count(), "quarantined": 0}
            _score_chunks(job, line, pending, EngineSpec.judging(chosen, judge.model), chosen, version)
        judged = job.warehouse.read("validations").where(F.col("validator_version") == version)
        groups = feedback.judged_groups(candidates, feedback.rewards(judged), settings).persist()
        try:
            verdicts = {row["verdict"]: row["count"] for row in groups.groupBy("verdict").count().collect()}
            line.counts |= {f"groups {verdict}": count for verdict, count in verdicts.items()}
            gap = _spread(line, groups, settings)
            _write_preferences(job, line, candidates, groups, version)
        finally:
            groups.unpersist()
    job.counts |= {f"validate_{word}": count for word, count in line.counts.items()}
    return {"groups": verdicts, "gap": gap}


def _candidates(job: Job) -> DataFrame:
    settings = job.settings
    if settings.generator.sampling.n < 2:
        raise BadInputError(
            f"generator.sampling.n is {settings.generator.sampling.n}: one RecCoT a history cannot be compared.",
            "Set generator.sampling.n to at least 2 and its temperature to 1, as for jobs/generate_reccot.py.",
        )
    return reccots_of(job).where(~of_validator(F.col("user_id"), settings.feedback.validator_share))


def reccots_of(job: Job) -> DataFrame:
    """The RecCoTs of the generator and the sampling that the settings name."""
    settings = job.settings
    generator = resolve_model(settings.generator.model.source, settings.cache_dir(), settings.generator.model.sha256)
    sampling = settings.generator.sampling.canonical()
    theirs = (F.col("generator_version") == generator.version) & (F.col("sampling") == sampling)
    return job.warehouse.read("reccots").where(theirs)


def requests_of(job: Job, candidates: DataFrame, template: ValidatorTemplate, count: int) -> DataFrame:
    """What V reads of each candidate and its ``count`` next events in the alignment window, before its hold-out."""
    settings = job.settings
    samples = job.warehouse.read("samples")
    before = holdout_start(samples, settings.feedback.holdout_share)
    events = validation.next_events(candidates, samples, before=before, count=count)
    histories = current_histories(job.warehouse.read("user_histories"), template.facts.version)
    items = clean_items(read_sources(job.spark, settings).items, settings.histories.max_title_chars).good
    told = candidates.where("status IN ('ok', 'cut')")
    return validation.score_requests(told, histories, events, items, template)


def _score_chunks(
    job: Job, line: Stage, pending: DataFrame, spec: EngineSpec, settings: ValidatorSettings, version: str
) -> None:
    from udfs.validate import OUTPUT_SCHEMA, validate_udf

    total = pending.count()
    profile = gpu_profile(settings)
    job.warehouse.create("validations")
    chunks = -(-total // settings.chunk_rows)
    for chunk in range(chunks):
        line.progress(line.counts["rows"], total, "judgements")
        requests = with_chunk(pending, chunks).where(F.col("chunk") == chunk).drop("chunk")
        answers = validation.grouped(requests, settings.engines).mapInPandas(
            validate_udf(spec, version), OUTPUT_SCHEMA, profile=profile
        )
        with job.warehouse.materialised(answers) as rows:
            good = rows.where("error IS NULL").drop("error", "error_kind")
            line.counts["rows"] += job.warehouse.insert_new("validations", job.stamp(good))
            line.counts["quarantined"] += _set_aside(job, rows.where("error_kind = 'permanent'"))


def _set_aside(job: Job, faults: DataFrame) -> int:
    if faults.isEmpty():
        return 0
    row = F.to_json(F.struct("row_key", "item_id", "event_time", "error"))
    rows = fault_rows(faults, "validations", reason=F.split("error", ":")[0], row=row)
    return job.warehouse.insert_new("quarantine", job.stamp(rows))


def _spread(line: Stage, groups: DataFrame, settings: FeedbackSettings) -> list[float] | None:
    """Deciles of the gap between a group's best and worst reward: most of them under min_gap, V sees no difference."""
    told = groups.where("gap IS NOT NULL").select(F.percentile("gap", F.array(*map(F.lit, _DECILES))))
    found = told.first()
    if not found or found[0] is None:
        return None
    low, middle, high = found[0]
    line.notes.append(f"gap {low:.3f} / {middle:.3f} / {high:.3f} (10, 50, 90 %), min_gap {settings.min_gap}")
    return [low, middle, high]


def _write_preferences(job: Job, line: Stage, candidates: DataFrame, groups: DataFrame, version: str) -> None:
    names = candidates.select("prompt_key", "generator_version", "sampling").distinct()
    rows = feedback.preferences(groups, job.settings.feedback).join(names, "prompt_key")
    written = job.warehouse.upsert("preferences", job.stamp(rows.withColumn("validator_version", F.lit(version))))
    line.counts["preferences"] = written
