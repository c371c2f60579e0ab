"""interactions, items, users → user_histories and samples: as-of snapshots with their prompts, labelled events."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from trackrec.histories import snapshots as history
from trackrec.histories import windows
from trackrec.histories.contents import fill_snapshots
from trackrec.histories.sources.cleaning import Cleaned, Counts, clean_interactions, clean_items
from trackrec.histories.sources.reader import Sources, read_sources
from trackrec.histories.templates import Template, template_of
from trackrec.reccots.gates import gate_quarantine
from trackrec.runtime.console import Stage, stage
from trackrec.runtime.errors import BadInputError
from trackrec.runtime.settings import Settings
from trackrec.stages.job import Job


def run(job: Job) -> None:
    """Write the snapshots whose prompt changed, and the samples that join them.

    Raises BadInputError for a source that cannot be read, QualityGateError for too many faulty rows.
    """
    settings = job.settings
    template = template_of(settings.prompt, settings.histories)
    with stage("histories") as line:
        sources = read_sources(job.spark, settings)
        interactions = clean_interactions(sources.interactions, settings.source)
        items = clean_items(sources.items, settings.histories.max_title_chars)
        line.counts |= {"rows": 0, "unchanged": 0}
        counts = _set_aside(job, line, "interactions", interactions)
        _set_aside(job, line, "items", items)
        events = interactions.good.persist()
        try:
            scope = _scope(sources, events, settings)
            _write(job, line, events, items.good, scope, template, late=counts.late > 0)
        finally:
            events.unpersist()
    job.counts |= {f"histories_{word}": count for word, count in line.counts.items()}


def _set_aside(job: Job, line: Stage, table: str, cleaned: Cleaned) -> Counts:
    counts = cleaned.count()
    quarantined = sum(counts.quarantined.values())
    if quarantined:
        job.warehouse.insert_new("quarantine", job.stamp(cleaned.bad))
    gate_quarantine(quarantined, counts.rows_in, job.settings.quality, table=table)
    line.counts["quarantined"] = line.counts.get("quarantined", 0) + quarantined
    line.counts["duplicates"] = line.counts.get("duplicates", 0) + counts.duplicates + counts.conflicting
    if not counts.good:
        raise BadInputError(
            f"table {table}: none of its {counts.rows_in:,} rows is usable.", f"Check source.{table} in conf/."
        )
    return counts


def _scope(sources: Sources, events: DataFrame, settings: Settings) -> DataFrame:
    users = events.select("user_id")
    if sources.users is not None:
        known = sources.users.select(F.trim(F.col("user_id").cast("string")).alias("user_id"))
        users = users.unionByName(known.where("user_id != ''"))
    return history.in_scope(users, settings.histories.max_users)


def _write(
    job: Job, line: Stage, events: DataFrame, items: DataFrame, scope: DataFrame, template: Template, *, late: bool
) -> None:
    settings = job.settings.histories
    ranked = history.rank_events(events.join(scope, "user_id", "left_semi"))
    snapshots = _snapshots(ranked, job.settings)
    line.counts["users without history"] = scope.join(snapshots, "user_id", "left_anti").count()
    labelled = _labelled(events, job.settings)
    if labelled is not None and settings.policy == "every_n_events":
        # For training data only snapshots that some sample joins are generated.
        joined = windows.join_newest_snapshot(labelled, snapshots).where(F.col("window").isin(*settings.windows))
        snapshots = snapshots.join(joined.select("user_id", "as_of"), ["user_id", "as_of"], "left_semi")
    filled = fill_snapshots(snapshots, ranked, items, settings, template, late=late).persist()
    try:
        stored = history.current_histories(job.warehouse.read_or_empty("user_histories"), template.version)
        new = history.drop_unchanged(filled, stored).withColumn("policy", F.lit(settings.policy))
        line.counts["rows"] = job.warehouse.insert_new("user_histories", job.stamp(new))
        line.counts["unchanged"] = filled.count() - line.counts["rows"]
    finally:
        filled.unpersist()
    if labelled is not None:
        written = history.current_histories(job.warehouse.read("user_histories"), template.version)
        samples = windows.join_newest_snapshot(labelled, written).join(
            scope.withColumn("in_scope", F.lit(True)), "user_id", "left"
        )
        line.counts["samples"] = job.warehouse.upsert("samples", job.stamp(samples.fillna({"in_scope": False})))


def _snapshots(ranked: DataFrame, settings: Settings) -> DataFrame:
    chosen = settings.histories
    if chosen.policy == "every_n_events":
        return history.snapshots_every_n_events(ranked, chosen.every_n)
    if chosen.as_of is None:
        raise BadInputError("policy nightly needs a night.", "Add --set histories.as_of=2026-01-31 (UTC).")
    return history.snapshots_nightly(ranked, chosen.as_of)


def _labelled(events: DataFrame, settings: Settings) -> DataFrame | None:
    """Events with their window. None under nightly without fixed boundaries: quantiles would move every night."""
    if settings.histories.policy == "nightly":
        if settings.windows.boundaries is None:
            return None
        events = events.where(F.col("known_time") < F.lit(settings.histories.as_of))
    return windows.with_window(events, windows.boundaries(events, settings.windows))
