"""interactions, items, users → user_histories and samples: as-of snapshots with their prompts, labelled events."""

from __future__ import annotations

from datetime import timedelta

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from trackrec.histories import revisions, snapshots, splits, windows
from trackrec.histories.contents import fill_snapshots
from trackrec.histories.forgotten import without_forgotten
from trackrec.histories.sources.cleaned import Cleaned, Counts
from trackrec.histories.sources.cleaning import clean_interactions
from trackrec.histories.sources.profile import item_profile
from trackrec.histories.sources.reader import Sources, read_sources
from trackrec.histories.templates import Template, template_of
from trackrec.runtime.errors import BadInputError
from trackrec.runtime.events import Outcome, Stage
from trackrec.runtime.run import Run
from trackrec.runtime.settings import Settings
from trackrec.stages.inputs import cleaned_items, stored_histories
from trackrec.tables.quarantine import gate_quarantine
from trackrec.tables.stamp import stamped
from trackrec.tables.warehouse import Warehouse

_KEPT = "kept as published"  # a count: histories that would rewrite the past
_TIME = "yyyy-MM-dd HH:mm"


def check_night(settings: Settings) -> None:
    """Raise BadInputError where the policy is nightly and no night is given: before Spark is started."""
    if settings.histories.policy == "nightly":
        settings.histories.night()


def build_histories(run: Run, tables: Warehouse) -> Outcome:
    """Write the snapshots whose prompt changed, and the samples that join them.

    Raises BadInputError for a source that cannot be read, QualityGateError for too many faulty rows.
    """
    settings = run.settings
    template = template_of(settings.prompt, settings.histories)
    with run.stage("histories") as stage:
        sources = read_sources(tables.spark, settings)
        if tables.exists("forgotten_users"):
            sources = without_forgotten(sources, tables.read("forgotten_users"))
        interactions = clean_interactions(sources.interactions, settings.source)
        items = cleaned_items(settings, sources)
        stage.counts = {"rows": 0, "unchanged": 0, "quarantined": 0, "duplicates": 0}
        counts = _set_aside(run, tables, stage, "interactions", interactions)
        item_counts = _set_aside(run, tables, stage, "items", items)
        _check_years(settings, item_counts)
        profile = item_profile(items.good, item_counts)
        stage.tables["sources"] = {"items": profile.figures}
        stage.notice(profile.line())
        events = interactions.good.persist()
        try:
            if settings.histories.policy == "nightly":
                _check_log_reaches(events, settings)
            scope = _scope(sources, events, settings)
            _write(run, tables, stage, events, items.good, scope, template, late=counts.late > 0)
        finally:
            events.unpersist()
    return stage.outcome


def _check_log_reaches(events: DataFrame, settings: Settings) -> None:
    """Raise BadInputError for a night before the whole log, or so long after it that the log was not loaded."""
    night, lag = settings.histories.night(), timedelta(days=settings.histories.max_lag_days)
    # An event of 2099 says nothing of tonight.
    newest = F.max(F.when(F.col("known_time") < F.lit(night), F.col("known_time")))
    times = F.date_format(F.min("known_time"), _TIME), F.date_format(newest, _TIME)
    row = events.agg(*times, F.min("known_time") >= F.lit(night), newest < F.lit(night - lag)).first()
    assert row is not None  # an aggregate without groups has one row
    first, last, before, beyond = row
    if before:
        raise BadInputError(
            f"histories.as_of {night:%Y-%m-%d %H:%M} UTC is before all events, of which the first is of {first} UTC.",
            "Set histories.as_of to a night of the log.",
        )
    if beyond:
        raise BadInputError(
            f"histories.as_of {night:%Y-%m-%d %H:%M} UTC is more than histories.max_lag_days "
            f"{settings.histories.max_lag_days:g} after the newest event before it, of {last} UTC.",
            "Load the log first, set histories.as_of to the night that it reaches, or raise max_lag_days.",
        )


def _check_years(settings: Settings, items: Counts) -> None:
    if settings.source.decades and not items.years:
        raise BadInputError(
            f"source.decades is on, and none of {items.good:,} items has a year.",
            "Name its column in source.items.columns (year: release_year), or leave source.decades out.",
        )


def _set_aside(run: Run, tables: Warehouse, stage: Stage, table: str, cleaned: Cleaned) -> Counts:
    """Write the faulty rows of a source to quarantine and count them; raises where too many or all are faulty."""
    counts = cleaned.count()
    quarantined = sum(counts.quarantined.values())
    if quarantined:
        tables.insert_new("quarantine", stamped(cleaned.bad, run.stamp()))
    gate_quarantine(quarantined, counts.rows_in, run.settings.quality, table=table)
    stage.counts["quarantined"] += quarantined
    stage.counts["duplicates"] += counts.duplicates + counts.conflicting
    if not counts.good:
        raise BadInputError(
            f"table {table}: none of its {counts.rows_in:,} rows is usable.", f"Check source.{table} in conf/."
        )
    return counts


def _scope(sources: Sources, events: DataFrame, settings: Settings) -> DataFrame:
    users = events.select("user_id")
    if sources.users is not None:
        listed = sources.users.select(F.trim(F.col("user_id").cast("string")).alias("user_id"))
        users = users.unionByName(listed.where("user_id != ''"))
    return snapshots.in_scope(users, settings.histories.max_users)


def _write(
    run: Run,
    tables: Warehouse,
    stage: Stage,
    events: DataFrame,
    items: DataFrame,
    scope: DataFrame,
    template: Template,
    *,
    late: bool,
) -> None:
    settings = run.settings.histories
    labelled = _labelled(stage, events, run.settings)
    ranked = snapshots.rank_events(events.drop("split").join(scope, "user_id", "left_semi"))
    taken = _snapshots(ranked, run.settings)
    stage.counts["users without history"] = scope.join(taken, "user_id", "left_anti").count()
    if labelled is not None and settings.policy == "every_n_events":
        # For training data only snapshots that some sample joins are generated.
        joined = windows.join_newest_snapshot(labelled, taken).where(F.col("window").isin(*settings.windows))
        taken = taken.join(joined.select("user_id", "as_of"), ["user_id", "as_of"], "left_semi")
    filled = fill_snapshots(taken, ranked, items, settings, template, late=late).persist()
    try:
        stored = snapshots.current_histories(tables.read_or_empty("user_histories"), template.version)
        writable = filled
        if not settings.rewrite_past and tables.exists("reccot_vectors"):
            writable = _without_past(tables, stage, filled, stored, settings.policy)
        changed = snapshots.drop_unchanged(writable, stored).withColumn("policy", F.lit(settings.policy))
        new = revisions.with_revision(changed, stored)
        stage.counts["rows"] = tables.upsert("user_histories", stamped(new, run.stamp()))
        stage.counts["unchanged"] = filled.count() - stage.counts["rows"] - stage.counts.get(_KEPT, 0)
    finally:
        filled.unpersist()
    if labelled is not None:
        samples = windows.join_newest_snapshot(labelled, stored_histories(run.settings, tables)).join(
            scope.withColumn("in_scope", F.lit(True)), "user_id", "left"
        )
        rows = stamped(samples.fillna({"in_scope": False}), run.stamp())
        stage.counts["samples"] = tables.upsert("samples", rows)


def _without_past(tables: Warehouse, stage: Stage, filled: DataFrame, stored: DataFrame, policy: str) -> DataFrame:
    """``filled`` without what would rewrite published histories; counted and said where it would change any."""
    published = revisions.published_histories(stored, tables.read("reccot_vectors"), policy)
    # A night that was missed may be made later: only snapshots after every n-th event come between by late events.
    marked = revisions.mark_past(filled, published, between=policy == "every_n_events")
    past = marked.where("past").drop("past")
    kept = stage.counts[_KEPT] = snapshots.drop_unchanged(past, stored).count()
    if kept:
        stage.notice(
            f"{kept:,} published histories would be others now, by late events, changed items or another every_n, and "
            "stay as they were read; --set histories.rewrite_past=true writes them"
        )
    return marked.where("NOT past").drop("past")


def _snapshots(ranked: DataFrame, settings: Settings) -> DataFrame:
    histories = settings.histories
    if histories.policy == "every_n_events":
        return snapshots.snapshots_every_n_events(ranked, histories.every_n)
    return snapshots.snapshots_nightly(ranked, histories.night())


def _labelled(stage: Stage, events: DataFrame, settings: Settings) -> DataFrame | None:
    """Events with their window, and with the split that it follows: NULL where windows are by time.

    None under nightly without fixed boundaries: quantiles would move every night.
    """
    if settings.histories.policy == "nightly":
        if settings.windows.boundaries is None:
            return None
        events = events.where(F.col("known_time") < F.lit(settings.histories.night()))
    if settings.windows.boundaries is None:
        split = splits.split_of(events, settings.windows)
        if split is not None:
            for line in split.lines():
                stage.notice(line)
            return splits.with_split_window(events, split)
    elif not events.where("split IS NOT NULL").isEmpty():
        stage.notice("windows follow windows.boundaries, and not the log's split")
    if settings.windows.boundaries is None:
        stage.notice(windows.fractions_line(settings.windows.fractions))
    by_time = events.withColumn("split", F.lit(None).cast("string"))
    return windows.with_window(by_time, windows.boundaries(events, settings.windows))
