"""Texts of G, about users or items: what is pending is written chunk by chunk, staged, merged or set aside."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from trackrec.engines.spec import EngineSpec
from trackrec.reccots.costs import cost_of
from trackrec.reccots.feature_version import GeneratorIdentity, generator_version
from trackrec.reccots.requests import chunks_of, exhausted, limited, pending_requests, requests, settled
from trackrec.runtime.errors import QualityGateError
from trackrec.runtime.events import Stage
from trackrec.runtime.run import Run
from trackrec.stages.generation_job import KILLS_ENGINE, NEVER_ENDS, GenerationJob
from trackrec.stages.lost_workers import Group, LossLimit, asked_in_groups
from trackrec.stages.rates import measured_rates
from trackrec.stages.worker_progress import worker_progress
from trackrec.tables.quarantine import fault_rows
from trackrec.tables.schemas import GeneratedTables
from trackrec.tables.stamp import stamped
from trackrec.tables.warehouse import Warehouse

if TYPE_CHECKING:
    from udfs.generate import ReadText

Stamp = dict[str, Any]
_COUNTED = ("cut", "empty", "failed")
_SHOWN = ("row_key", "prompt_key", "item_id", "error")  # of a fault, in quarantine: those that its table has


@dataclass(frozen=True)
class TextKind:
    """A kind of text that G writes: its tables, its name in the plural, and what of a model's text is served."""

    tables: GeneratedTables
    plural: str
    read_text: ReadText


def write_texts(
    run: Run, tables: Warehouse, stage: Stage, kind: TextKind, prompts: DataFrame, spec: EngineSpec
) -> None:
    """Write the texts of ``prompts`` that are not there yet: staging first, then an insert-only MERGE.

    ``prompts``: prompt_key, prompt_body and the kind's identity. A second run writes nothing; one that was killed goes
    on behind its last chunk. A request that ends its Python worker or never finishes is found (lost_workers.py) and set
    aside like any permanent fault. Counts in ``stage``: rows, tokens, unchanged, cut, empty, failed, quarantined,
    engine starts.
    """
    settings, texts, staging = run.settings.generator, kind.tables.texts.name, kind.tables.staging.name
    tables.create(texts)
    tables.create(staging)
    _commit(run, tables, kind, tables.read(staging))  # what a run that was killed had staged
    version = generator_version(settings, spec.model)
    requested, lacking_texts = requests_of(run, tables, kind, prompts, spec, version)
    with tables.materialised(lacking_texts) as waiting:
        lacking = waiting.count()
        total = min(lacking, settings.limit or lacking)
        pending = limited(waiting, settings.limit)
        _check_cost(run, tables, stage, kind, total, spec, version)
        stage.counts |= {"rows": 0, "tokens": 0, "unchanged": requested.count() - lacking}
        if total < lacking:
            stage.counts["left for later"] = lacking - total
        stage.counts |= dict.fromkeys((*_COUNTED, "quarantined"), 0)
        _write_chunks(run, tables, stage, kind, pending, total, spec, version)
    # A transient fault that used up its attempts is asked for no more: it may not disappear in staging.
    given_up = exhausted(tables.read(staging), max_attempts=settings.max_attempts)
    stage.counts["quarantined"] += _quarantine(run, tables, kind, given_up)


def requests_of(
    run: Run, tables: Warehouse, kind: TextKind, prompts: DataFrame, spec: EngineSpec, version: str
) -> tuple[DataFrame, DataFrame]:
    """The requests that ``prompts`` make, as ``requests`` has them, and those of them that are to be asked now."""
    requested = requests(prompts, version, spec.sampling, kind.tables.identity)
    texts, staging = (tables.read_or_empty(table.name) for table in (kind.tables.texts, kind.tables.staging))
    done = settled(texts, staging, run_id=run.run_id, max_attempts=run.settings.generator.max_attempts)
    return requested, pending_requests(requested, done)


def _check_cost(
    run: Run, tables: Warehouse, stage: Stage, kind: TextKind, pending: int, spec: EngineSpec, version: str
) -> None:
    """Raise QualityGateError where more is pending than a run may ask for; with what it would cost."""
    settings = run.settings.generator
    if pending <= settings.max_pending:
        return
    writer = GeneratorIdentity(version, spec.sampling.canonical())
    rates = measured_rates(tables, kind.tables.texts.name, writer, stage.name)
    cost = cost_of(pending * spec.sampling.n, rates, settings.engines, settings.price_per_gpu_hour)
    raise QualityGateError(
        f"{kind.plural} are pending for {pending:,} prompts, above generator.max_pending {settings.max_pending:,}: "
        f"{cost}.",
        "Raise max_pending where that is meant, ask for fewer by --limit or --users, or undo the change of the model, "
        "the sampling or the prompt that made them pending.",
    )


def _write_chunks(
    run: Run,
    tables: Warehouse,
    stage: Stage,
    kind: TextKind,
    pending: DataFrame,
    requested: int,
    spec: EngineSpec,
    version: str,
) -> None:
    total = requested * spec.sampling.n
    engines: set[str] = set()
    limit = LossLimit(run.settings.generator.max_lost_workers)
    with worker_progress(tables.spark, stage, total, kind.plural) as channel:
        job = GenerationJob(run.settings.generator, kind.tables, kind.read_text, spec, version, channel)

        def append(rows: DataFrame) -> Stamp:
            stamp = run.stamp()
            tables.append(kind.tables.staging.name, stamped(rows, stamp))
            return stamp

        def commit(stamp: Stamp) -> None:
            of_job = [F.col(name) == F.lit(value) for name, value in stamp.items()]
            staged = tables.read(kind.tables.staging.name).where(of_job[0] & of_job[1])
            channel.reset_rows()
            engines.update(_count(stage, staged))
            stage.progress(stage.counts["rows"], total, kind.plural)
            stage.counts["quarantined"] += _commit(run, tables, kind, staged)
            stage.counts["engine starts"] = len(engines)

        for chunk in chunks_of(pending, requested, run.settings.generator.chunk_rows):
            _write_chunk(stage, job, chunk, limit, append, commit)


def _write_chunk(
    stage: Stage,
    job: GenerationJob,
    chunk: DataFrame,
    limit: LossLimit,
    append: Callable[[DataFrame], Stamp],
    commit: Callable[[Stamp], None],
) -> None:
    """Have the requests of ``chunk`` asked and their rows committed; those that end their worker are given up.

    ``append`` stages rows and returns their stamp, ``commit`` takes the rows of a stamp where they belong.
    """

    def ask(group: Group) -> Stamp:
        if group.keys is not None:
            stage.notice(f"a Python worker died: requests asked again, apart from the others: {len(group.keys):,}")
        return append(job.rows(chunk, group))

    def keys() -> list[str]:
        return [row["prompt_key"] for row in chunk.select("prompt_key").collect()]

    for key in asked_in_groups(ask, commit, keys, job.channel.suspects, limit):
        lethal = chunk.where(F.col("prompt_key") == key)
        reason = NEVER_ENDS if job.channel.counts.stalls else KILLS_ENGINE
        job.require_engine(lethal)
        commit(append(job.given_up(lethal, reason)))


def _commit(run: Run, tables: Warehouse, kind: TextKind, staged: DataFrame) -> int:
    """MERGE good staged rows into the kind's table, permanent faults into quarantine. Returns rows quarantined."""
    tables.insert_new(kind.tables.texts.name, staged.where("status != 'failed'"))
    return _quarantine(run, tables, kind, staged.where("status = 'failed' AND error_kind = 'permanent'"))


def _quarantine(run: Run, tables: Warehouse, kind: TextKind, faults: DataFrame) -> int:
    """Set failed rows of staging aside, each once. Returns rows quarantined."""
    if faults.isEmpty():
        return 0
    row = F.to_json(F.struct(*[name for name in _SHOWN if name in faults.columns]))
    if "user_id" not in faults.columns:
        faults = faults.withColumn("user_id", F.lit(None))
    rows = fault_rows(faults, kind.tables.texts.name, reason=F.split("error", ":")[0], row=row)
    return tables.insert_new("quarantine", stamped(rows, run.stamp()))


def _count(stage: Stage, staged: DataFrame) -> set[str]:
    """Count the rows of ``staged``; returns the ids of the engines that wrote them, at most one a device."""
    counts = staged.agg(
        F.count("*").alias("rows"),
        F.coalesce(F.sum("output_tokens"), F.lit(0)).alias("tokens"),
        F.collect_set(F.when(F.col("engine_id") != "", F.col("engine_id"))).alias("engines"),  # "": given up
        *[F.count_if(F.col("status") == status).alias(status) for status in _COUNTED],
    ).first()
    assert counts is not None
    for word in ("rows", "tokens", *_COUNTED):
        stage.counts[word] += int(counts[word])
    return set(counts["engines"])
