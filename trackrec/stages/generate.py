"""user_histories → reccots: G writes for every history that has no RecCoT of this generator version yet."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from trackrec.engines.interface import EngineSpec
from trackrec.histories.snapshots import current_histories
from trackrec.histories.templates import template_of
from trackrec.models.resolve import resolve_model
from trackrec.reccots import requests as generation
from trackrec.runtime.command_line import utc_now
from trackrec.runtime.console import Stage, stage
from trackrec.runtime.gpus import gpu_profile
from trackrec.stages.job import Job
from trackrec.tables.quarantine import fault_rows


def run(job: Job, only: Column | None = None) -> None:
    """Generate what is pending, chunk by chunk: staging first, then an insert-only MERGE. A second run does nothing.

    ``only``: a condition on ``user_histories``, where not all of them are asked for.
    """
    settings = job.settings.generator
    template = template_of(job.settings.prompt, job.settings.histories)
    histories = current_histories(job.warehouse.read("user_histories"), template.version)
    if only is not None:
        histories = histories.where(only)
    with stage("generate") as line:
        model = resolve_model(settings.model.source, job.settings.cache_dir(), settings.model.sha256)
        spec = EngineSpec.of(settings, model, template.opening)
        job.warehouse.create("reccots")
        job.warehouse.create("reccot_staging")
        _commit(job, job.warehouse.read("reccot_staging"))  # what a run that was killed had staged
        asked = generation.requests(histories, model.version, settings.sampling)
        done = generation.settled(
            job.warehouse.read("reccots"),
            job.warehouse.read("reccot_staging"),
            run_id=job.run_id,
            max_attempts=settings.max_attempts,
        )
        with job.warehouse.materialised(generation.pending(asked, done)) as pending:
            total = pending.count()
            line.counts |= {"rows": 0, "tokens": 0, "unchanged": asked.count() - total}
            line.counts |= {"cut": 0, "empty": 0, "failed": 0, "quarantined": 0}
            _generate_chunks(job, line, pending, total, spec)
    job.counts |= {f"generate_{word}": count for word, count in line.counts.items()}


def _generate_chunks(job: Job, line: Stage, pending: DataFrame, total: int, spec: EngineSpec) -> None:
    from udfs.generate import OUTPUT_SCHEMA, generate_udf

    settings = job.settings.generator
    profile = gpu_profile(settings)
    engines: set[str] = set()
    chunks = -(-total // settings.chunk_rows)
    for chunk in range(chunks):
        line.progress(line.counts["rows"], total, "RecCoTs")
        requests = generation.with_chunk(pending, chunks).where(F.col("chunk") == chunk).drop("chunk")
        written = generation.balanced(requests, settings.engines).mapInPandas(
            generate_udf(spec), OUTPUT_SCHEMA, profile=profile
        )
        now = utc_now()
        stamp = {"run_id": F.lit(job.run_id), "created_time": F.lit(now)}
        job.warehouse.append("reccot_staging", written.withColumns(stamp))
        chunk_rows = (F.col("run_id") == job.run_id) & (F.col("created_time") == F.lit(now))
        staged = job.warehouse.read("reccot_staging").where(chunk_rows)
        line.counts["quarantined"] += _commit(job, staged)
        engines |= _count(line, staged)
        line.counts["engine starts"] = len(engines)


def _commit(job: Job, staged: DataFrame) -> int:
    """MERGE staged rows that are good into reccots, permanent faults into quarantine. Returns rows quarantined."""
    good = staged.where("status != 'failed'")
    job.warehouse.insert_new("reccots", good)
    faults = staged.where("status = 'failed' AND error_kind = 'permanent'")
    if faults.isEmpty():
        return 0
    row = F.to_json(F.struct("row_key", "prompt_key", "error"))
    rows = fault_rows(faults, "reccots", reason=F.split("error", ":")[0], row=row)
    return job.warehouse.insert_new("quarantine", job.stamp(rows))


def _count(line: Stage, staged: DataFrame) -> set[str]:
    """Add what ``staged`` holds to the line; returns the ids of the engines that wrote it, at most one a device."""
    counted = staged.agg(
        F.count("*").alias("rows"),
        F.coalesce(F.sum("output_tokens"), F.lit(0)).alias("tokens"),
        F.collect_set("engine_id").alias("engines"),
        *[F.count_if(F.col("status") == status).alias(status) for status in ("cut", "empty", "failed")],
    ).first()
    assert counted is not None
    for word in ("rows", "tokens", "cut", "empty", "failed"):
        line.counts[word] += int(counted[word])
    return set(counted["engines"])
