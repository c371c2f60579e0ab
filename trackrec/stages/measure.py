"""What a round is worth: V on the hold-out with and without RecCoTs, and how the RecCoTs themselves look."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from pyspark.sql import DataFrame, Row
from pyspark.sql import functions as F

from trackrec.engines.spec import EngineSpec
from trackrec.feedback import holdout
from trackrec.feedback.groundedness import Names, groundedness
from trackrec.feedback.judge import judge_of, validator_settings
from trackrec.feedback.questions import grouped
from trackrec.feedback.user_split import holdout_start
from trackrec.histories.snapshots import current_histories
from trackrec.histories.sources.cleaning import clean_items
from trackrec.histories.sources.reader import read_sources
from trackrec.histories.templates import template_of
from trackrec.models.resolve import resolve_model
from trackrec.runtime.gpus import gpu_profile
from trackrec.stages.job import Job


def run(job: Job, generators: Mapping[str, str], served: str, tell: Callable[[str], None]) -> dict[str, Any]:
    """Figures of V and of each generator (name → source) on the hold-out; ``served`` is G's sampling as JSON.

    Returns {"validator": {variant: {auc, uauc, logloss, ece}}, "differences": as holdout.differences, "reccots":
    {name: {…}}, "samples": n}.
    """
    settings = job.settings
    judge = judge_of(settings)
    histories = _histories(job)
    items = clean_items(read_sources(job.spark, settings).items, settings.histories.max_title_chars).good
    events = held_out(job).persist()
    try:
        told = {name: _reccots(job, source, served) for name, source in generators.items()}
        requests = holdout.requests_of(
            holdout.variants(events, told),
            histories,
            items,
            judge.template,
            max_title_chars=settings.histories.max_title_chars,
        )
        judged = _judged(job, requests)
        known = [row.asDict() for row in events.collect()]
        figures = holdout.floors(known) | _qualities(judged)
        names = Names(n for row in items.collect() for n in (row["title"], *(row["attributes"] or ())) if n)
        written = {name: _written(frame, events, histories, names) for name, frame in told.items()}
    finally:
        events.unpersist()
    tell(f"hold-out, {len(known)} events, judged by {judge.version}\n{holdout.table(figures)}")
    for name, row in written.items():
        tell(f"{name}: " + ", ".join(f"{word} {value:.3g}" for word, value in row.items()))
    compared = _compared(judged, list(generators)[-1])
    return {
        "validator": _plain(figures),
        "differences": _plain(compared),
        "reccots": _plain(written),
        "samples": len(known),
    }


def held_out(job: Job) -> DataFrame:
    """The events of the hold-out that every round is measured on, as from ``holdout.holdout_events``."""
    settings, samples = job.settings, job.warehouse.read("samples")
    start = holdout_start(samples, settings.feedback.holdout_share)
    return holdout.holdout_events(samples, _histories(job), start=start, count=settings.loop.holdout_samples)


def _histories(job: Job) -> DataFrame:
    template = template_of(job.settings.prompt, job.settings.histories)
    return current_histories(job.warehouse.read("user_histories"), template.version)


def _reccots(job: Job, source: str, sampling: str) -> DataFrame:
    version = resolve_model(source, job.settings.cache_dir()).version
    theirs = (F.col("generator_version") == version) & (F.col("sampling") == sampling)
    return job.warehouse.read("reccots").where(theirs & (F.col("sample_number") == 0))


Judged = dict[str, dict[tuple[Any, ...], Row]]  # variant -> event -> label, p_yes, user_id


def _judged(job: Job, requests: DataFrame) -> Judged:
    from udfs.validate import OUTPUT_SCHEMA, validate_udf

    chosen, judge = validator_settings(job.settings), judge_of(job.settings)
    spec = EngineSpec.for_validator(chosen, judge.model)
    answers = grouped(requests, chosen.engines).mapInPandas(
        validate_udf(spec, judge.version), OUTPUT_SCHEMA, profile=gpu_profile(chosen)
    )
    event = ("user_id", "item_id", "event_time")
    with job.warehouse.materialised(answers) as rows:
        found = rows.where("error IS NULL").select("row_key", *event, "label", "p_yes").collect()
    judged: Judged = {}
    for row in found:
        judged.setdefault(row["row_key"], {})[tuple(row[name] for name in event)] = row
    return judged


def _qualities(judged: Judged) -> dict[str, dict[str, float]]:
    return {
        name: holdout.quality(*([row[column] for row in rows.values()] for column in ("label", "p_yes", "user_id")))
        for name, rows in sorted(judged.items())
    }


def _compared(judged: Judged, last: str) -> dict[str, dict[str, float]]:
    """``holdout.differences`` over the events that V could read in every variant."""
    shared = sorted(set.intersection(*(set(rows) for rows in judged.values())))
    shown = {name: [rows[event]["p_yes"] for event in shared] for name, rows in judged.items()}
    rows = [judged[last][event] for event in shared]
    return holdout.differences(shown, [row["label"] for row in rows], [row["user_id"] for row in rows], last)


def _written(reccots: DataFrame, events: DataFrame, histories: DataFrame, names: Names) -> dict[str, float]:
    """Of the RecCoTs that the hold-out's events join: length, truncation, distinctness, groundedness."""
    prompts = histories.select("prompt_key", "prompt_body").distinct()
    wanted = events.select("prompt_key").distinct()
    rows = reccots.join(wanted, "prompt_key").join(prompts, "prompt_key").collect()
    if not rows:
        return {"texts": 0.0}
    texts = [row["text"] for row in rows]
    grounded, mentioned = groundedness(texts, [row["prompt_body"] for row in rows], names)
    return {
        "texts": float(len(texts)),
        "tokens": sum(row["output_tokens"] for row in rows) / len(rows),
        "cut": sum(row["status"] == "cut" for row in rows) / len(rows),
        "empty": sum(row["status"] == "empty" for row in rows) / len(rows),
        "distinct": len(set(texts)) / len(texts),
        "names a text": mentioned,
        "grounded": grounded,
    }


def _plain(figures: Mapping[str, Mapping[str, float]]) -> dict[str, dict[str, float | None]]:
    """For JSON, which knows no NaN."""
    return {
        name: {word: None if math.isnan(value) else value for word, value in row.items()}
        for name, row in figures.items()
    }
