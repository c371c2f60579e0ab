"""user_histories → reccots: G writes for every history that has no RecCoT of this generator version yet."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from trackrec.engines.spec import EngineSpec
from trackrec.histories.templates import template_of
from trackrec.models.resolve import resolve
from trackrec.reccots.feature_version import generator_version
from trackrec.reccots.requests import balanced, chunks_of, exhausted, pending_requests, requests, settled
from trackrec.reccots.sentences import served_text
from trackrec.runtime.events import Outcome, Stage
from trackrec.runtime.gpus import gpu_profile
from trackrec.runtime.run import Run
from trackrec.stages.inputs import stored_histories
from trackrec.stages.worker_progress import worker_progress
from trackrec.tables.quarantine import fault_rows
from trackrec.tables.stamp import stamped
from trackrec.tables.warehouse import Warehouse

_COUNTED = ("cut", "empty", "failed")


def generate_reccots(run: Run, tables: Warehouse, only: Column | None = None) -> Outcome:
    """Generate what is pending, chunk by chunk: staging first, then an insert-only MERGE. A second run does nothing.

    ``only``: a condition on ``user_histories``, where RecCoTs are not wanted for all of them.
    """
    settings = run.settings.generator
    template = template_of(run.settings.prompt, run.settings.histories)
    histories = stored_histories(run.settings, tables)
    if only is not None:
        histories = histories.where(only)
    with run.stage("generate") as stage:
        model = resolve(settings.model, run.settings.cache_dir())
        spec = EngineSpec.for_generator(settings, model, template.opening)
        tables.create("reccots")
        tables.create("reccot_staging")
        _commit(run, tables, tables.read("reccot_staging"))  # what a run that was killed had staged
        version = generator_version(settings, model)
        requested = requests(histories, version, settings.sampling)
        done = settled(
            tables.read("reccots"),
            tables.read("reccot_staging"),
            run_id=run.run_id,
            max_attempts=settings.max_attempts,
        )
        with tables.materialised(pending_requests(requested, done)) as pending:
            total = pending.count()
            stage.counts = {"rows": 0, "tokens": 0, "unchanged": requested.count() - total}
            stage.counts |= dict.fromkeys((*_COUNTED, "quarantined"), 0)
            _generate_chunks(run, tables, stage, pending, total, spec, version)
        # A transient fault that used up its attempts is asked for no more: it may not disappear in staging.
        given_up = exhausted(tables.read("reccot_staging"), max_attempts=settings.max_attempts)
        stage.counts["quarantined"] += _quarantine(run, tables, given_up)
    return stage.outcome


def _generate_chunks(
    run: Run, tables: Warehouse, stage: Stage, pending: DataFrame, requested: int, spec: EngineSpec, version: str
) -> None:
    from udfs.generate import OUTPUT_SCHEMA, generate_udf

    settings = run.settings.generator
    profile = gpu_profile(settings)
    engines: set[str] = set()
    with worker_progress(tables.spark, stage, requested * settings.sampling.n, "RecCoTs") as channel:
        udf = generate_udf(spec, version, served_text, channel.sender)
        for chunk in chunks_of(pending, requested, settings.chunk_rows):
            reccots = balanced(chunk, settings.engines).mapInPandas(udf, OUTPUT_SCHEMA, profile=profile)
            stamp = run.stamp()
            tables.append("reccot_staging", stamped(reccots, stamp))
            of_chunk = [F.col(name) == F.lit(value) for name, value in stamp.items()]
            staged = tables.read("reccot_staging").where(of_chunk[0] & of_chunk[1])
            channel.reset_rows()
            engines |= _count(stage, staged)
            stage.progress(stage.counts["rows"], requested * settings.sampling.n, "RecCoTs")
            stage.counts["quarantined"] += _commit(run, tables, staged)
            stage.counts["engine starts"] = len(engines)


def _commit(run: Run, tables: Warehouse, staged: DataFrame) -> int:
    """MERGE staged rows that are good into reccots, permanent faults into quarantine. Returns rows quarantined."""
    tables.insert_new("reccots", staged.where("status != 'failed'"))
    return _quarantine(run, tables, staged.where("status = 'failed' AND error_kind = 'permanent'"))


def _quarantine(run: Run, tables: Warehouse, faults: DataFrame) -> int:
    """Set failed rows of ``reccot_staging`` aside, each once. Returns rows quarantined."""
    if faults.isEmpty():
        return 0
    row = F.to_json(F.struct("row_key", "prompt_key", "error"))
    rows = fault_rows(faults, "reccots", reason=F.split("error", ":")[0], row=row)
    return tables.insert_new("quarantine", stamped(rows, run.stamp()))


def _count(stage: Stage, staged: DataFrame) -> set[str]:
    """Count the rows of ``staged``; returns the ids of the engines that wrote them, at most one a device."""
    counts = staged.agg(
        F.count("*").alias("rows"),
        F.coalesce(F.sum("output_tokens"), F.lit(0)).alias("tokens"),
        F.collect_set("engine_id").alias("engines"),
        *[F.count_if(F.col("status") == status).alias(status) for status in _COUNTED],
    ).first()
    assert counts is not None
    for word in ("rows", "tokens", *_COUNTED):
        stage.counts[word] += int(counts[word])
    return set(counts["engines"])
