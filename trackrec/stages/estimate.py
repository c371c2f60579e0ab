"""What a run would ask of G, why, and what that costs: nothing is written, and no engine starts unless asked to."""

from __future__ import annotations

from dataclasses import replace

from pyspark.sql import DataFrame

from trackrec.engines.spec import EngineSpec
from trackrec.histories.templates import template_of
from trackrec.reccots.causes import pending_by_cause
from trackrec.reccots.costs import Rates, cost_of
from trackrec.reccots.feature_version import GeneratorIdentity, generator_version
from trackrec.reccots.requests import limited
from trackrec.runtime.errors import TrackrecError
from trackrec.runtime.events import Outcome, Stage
from trackrec.runtime.run import Run
from trackrec.runtime.settings import Settings
from trackrec.stages.generate import RECCOTS, generator_spec, wanted_histories
from trackrec.stages.generation_job import GenerationJob
from trackrec.stages.lost_workers import Group
from trackrec.stages.rates import measured_rates
from trackrec.stages.texts import requests_of
from trackrec.stages.worker_progress import worker_progress
from trackrec.tables.rehearsal import Rehearsal

_SAMPLE = 200  # prompts that are tokenized


def estimate_reccots(run: Run, tables: Rehearsal, probe: int | None = None) -> Outcome:
    """Count the RecCoTs that are pending, by cause, and say what they cost.

    ``probe``: so many of them are written first and thrown away, to measure G; else it is as fast as in its runs
    before. Figures: prompt tokens, output tokens, hours and money, those that are known.
    """
    settings = run.settings.generator
    with run.stage("estimate") as stage:
        spec = generator_spec(run.settings)
        version = generator_version(settings, spec.model)
        histories = wanted_histories(run.settings, tables)
        with tables.materialised(requests_of(run, tables, RECCOTS, histories, spec, version)[1]) as pending:
            total = pending.count()
            asked = min(total, settings.limit or total)
            stage.counts = {"pending": total, **_causes(run.settings, tables, pending)}
            if asked < total:
                stage.counts["left for later"] = total - asked
            if asked:
                rates = _rates(run, tables, stage, pending, spec, version, probe)
                cost = cost_of(asked * spec.sampling.n, rates, settings.engines, settings.price_per_gpu_hour)
                stage.figures = cost.figures
                stage.notice(str(cost))
                if cost.hours is None:
                    stage.notice("no run of this G has been measured yet: --probe 16 measures it on 16 prompts")
        stage.labels = {"generator": version}
    return stage.outcome


def _causes(settings: Settings, tables: Rehearsal, pending: DataFrame) -> dict[str, int]:
    template = template_of(settings.prompt, settings.histories).version
    texts, histories = (tables.read_or_empty(name) for name in ("reccots", "user_histories"))
    return pending_by_cause(pending, texts, histories, template, settings.histories.only_night)


def _rates(
    run: Run, tables: Rehearsal, stage: Stage, pending: DataFrame, spec: EngineSpec, version: str, probe: int | None
) -> Rates:
    """What a text takes: its prompt by the tokenizer, the rest by a probe of G or its runs before."""
    if probe is not None:
        # More would wait for a free place, and what a text takes is read off the slowest of those begun at once.
        most = spec.high_water * run.settings.generator.engines
        rates = _probed(run, tables, stage, limited(pending, min(probe, most)), spec, version)
    else:
        writer = GeneratorIdentity(version, spec.sampling.canonical())
        rates = measured_rates(tables, RECCOTS.tables.texts.name, writer, "generate")
    bodies = [row["prompt_body"] for row in limited(pending, _SAMPLE).select("prompt_body").collect()]
    return replace(rates, prompt_tokens=_prompt_tokens(spec, bodies))


def _prompt_tokens(spec: EngineSpec, bodies: list[str]) -> float:
    from trackrec.engines.chat import Chat
    from trackrec.engines.interface import Request

    chat = Chat(spec)
    return sum(len(chat.ids(Request("", body, spec.opening, 0))) for body in bodies) / len(bodies)


def _probed(run: Run, tables: Rehearsal, stage: Stage, prompts: DataFrame, spec: EngineSpec, version: str) -> Rates:
    """Rates out of texts for ``prompts``, which are thrown away; the start of the engine is left out."""
    settings, stage.counts["rows"] = run.settings.generator, 0
    with worker_progress(tables.spark, stage, prompts.count(), RECCOTS.plural) as channel:
        job = GenerationJob(settings, RECCOTS.tables, RECCOTS.read_text, spec, version, channel)
        rows = job.rows(prompts, Group()).where("status != 'failed'").collect()
    del stage.counts["rows"]
    if not rows:
        raise TrackrecError("G failed on every prompt of the probe.", "Run generate on a few (--limit 4), and see why.")
    # All are submitted at once, so an engine is done when its slowest text is.
    slowest: dict[str, float] = {}
    for row in rows:
        slowest[row["engine_id"]] = max(slowest.get(row["engine_id"], 0.0), row["latency_ms"])
    seconds = max(slowest.values()) / 1000 / len(rows)
    return Rates(None, sum(row["output_tokens"] for row in rows) / len(rows), seconds)
