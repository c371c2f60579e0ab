"""interactions, items, users → user_histories and samples: as-of snapshots with their prompts, labelled events."""

from __future__ import annotations

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
from trackrec.stages.night_log import NightLog, check_reaches, night_log
from trackrec.tables.quarantine import gate_quarantine
from trackrec.tables.stamp import stamped
from trackrec.tables.warehouse import Warehouse

_KEPT = "kept as published"  # a count: histories that would rewrite the past


def check_night(settings: Settings) -> None:
    """Raise BadInputError where the policy is nightly and no night is given: before Spark is started."""
    if settings.histories.policy == "nightly":
        settings.histories.night()


def build_histories(run: Run, tables: Warehouse) -> Outcome:
    """Write the snapshots whose prompt changed, and the samples that join them.

    Under nightly only of users with news since the last night, to the same end (night_log.py). Raises BadInputError for
    a source that cannot be read, QualityGateError for too many faulty rows.
    """
    settings = run.settings
    with run.stage("histories") as stage:
        sources = read_sources(tables.spark, settings)
        if tables.exists("forgotten_users"):
            sources = without_forgotten(sources, tables.read("forgotten_users"))
        items = cleaned_items(settings, sources)
        stage.counts = {"rows": 0, "unchanged": 0, "quarantined": 0, "duplicates": 0}
        item_counts = _set_aside(run, tables, stage, "items", items)
        _check_years(settings, item_counts)
        profile = item_profile(items.good, item_counts)
        stage.tables["sources"] = {"items": profile.figures}
        stage.notice(profile.line())
        is_small = item_counts.good <= settings.histories.max_broadcast_items
        catalogue = F.broadcast(items.good) if is_small else items.good
        if settings.histories.policy == "nightly":
            with night_log(run, tables, stage, sources.interactions, items.good) as log:
                _build(run, tables, stage, sources, catalogue, log)
        else:
            _build(run, tables, stage, sources, catalogue, None)
    return stage.outcome


def _build(run: Run, tables: Warehouse, stage: Stage, sources: Sources, items: DataFrame, log: NightLog | None) -> None:
    """Write histories and samples of what is read, and what was read in the end."""
    settings = run.settings
    raw = sources.interactions if log is None else log.interactions(sources.interactions)
    interactions = clean_interactions(raw, settings.source)
    counts = _set_aside(run, tables, stage, "interactions", interactions, log)
    if log is not None:
        check_reaches(log.figures, settings)
    events = interactions.good.persist()
    try:
        scope = _scope(sources, events, settings)
        _write(run, tables, stage, events, items, scope, late=counts.late > 0, log=log)
    finally:
        events.unpersist()


def _check_years(settings: Settings, items: Counts) -> None:
    if settings.source.decades and not items.years:
        raise BadInputError(
            f"source.decades is on, and none of {items.good:,} items has a year.",
            "Name its column in source.items.columns (year: release_year), or leave source.decades out.",
        )


def _set_aside(
    run: Run, tables: Warehouse, stage: Stage, table: str, cleaned: Cleaned, log: NightLog | None = None
) -> Counts:
    """Write the faulty rows of a source to quarantine and count them; raises where too many or all are faulty.

    Where ``cleaned`` is a part of a ``log``, the share is that of the whole.
    """
    counts = cleaned.count()
    quarantined = sum(counts.quarantined.values())
    rows, faulty = (counts.rows_in, quarantined) if log is None else (log.figures.rows, log.figures.faulty)
    if quarantined:
        tables.insert_new("quarantine", stamped(cleaned.bad, run.stamp()))
    gate_quarantine(faulty, rows, run.settings.quality, table=table)
    stage.counts["quarantined"] += quarantined
    stage.counts["duplicates"] += counts.duplicates + counts.conflicting
    if rows == faulty:
        raise BadInputError(f"table {table}: none of its {rows:,} rows is usable.", f"Check source.{table} in conf/.")
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
    *,
    late: bool,
    log: NightLog | None,
) -> None:
    settings, template = run.settings.histories, template_of(run.settings.prompt, run.settings.histories)
    labelled = _labelled(stage, events, run.settings)
    ranked = snapshots.rank_events(events.drop("split").join(scope, "user_id", "left_semi"))
    taken = _snapshots(ranked, run.settings)
    without = scope.join(taken, "user_id", "left_anti").count() if log is None else log.without_history(scope)
    stage.counts["users without history"] = without
    if labelled is not None and settings.policy == "every_n_events":
        # For training data only snapshots that some sample joins are generated.
        joined = windows.join_newest_snapshot(labelled, taken).where(F.col("window").isin(*settings.windows))
        taken = taken.join(joined.select("user_id", "as_of"), ["user_id", "as_of"], "left_semi")
    filled = fill_snapshots(taken, ranked, items, settings, template, late=late).persist()
    try:
        kept = _write_histories(run, tables, stage, filled, template, log)
        if labelled is not None:
            _write_samples(run, tables, stage, labelled, scope)
        if log is not None:
            log.finish(run, tables, kept)
    finally:
        filled.unpersist()


def _write_histories(
    run: Run, tables: Warehouse, stage: Stage, filled: DataFrame, template: Template, log: NightLog | None
) -> DataFrame | None:
    """Write what changed; returns user_id of those whose history stays as it was published, None: of none."""
    settings, kept = run.settings.histories, None
    stored = snapshots.current_histories(tables.read_or_empty("user_histories"), template.version)
    if log is not None:
        stored = log.of_read(stored)
    writable = filled
    if not settings.rewrite_past and tables.exists("reccot_vectors"):
        writable, kept = _without_past(tables, stage, filled, stored, settings.policy)
    changed = snapshots.drop_unchanged(writable, stored).withColumn("policy", F.lit(settings.policy))
    new = revisions.with_revision(changed, stored)
    stage.counts["rows"] = tables.upsert("user_histories", stamped(new, run.stamp()))
    stage.counts["unchanged"] = filled.count() - stage.counts["rows"] - stage.counts.get(_KEPT, 0)
    return kept


def _write_samples(run: Run, tables: Warehouse, stage: Stage, labelled: DataFrame, scope: DataFrame) -> None:
    samples = windows.join_newest_snapshot(labelled, stored_histories(run.settings, tables)).join(
        scope.withColumn("in_scope", F.lit(True)), "user_id", "left"
    )
    rows = stamped(samples.fillna({"in_scope": False}), run.stamp())
    stage.counts["samples"] = tables.upsert("samples", rows)


def _without_past(
    tables: Warehouse, stage: Stage, filled: DataFrame, stored: DataFrame, policy: str
) -> tuple[DataFrame, DataFrame | None]:
    """``filled`` without what would rewrite published histories; counted and said where it would change any.

    Also user_id of those whose history it would change, None: of none.
    """
    published = revisions.published_histories(stored, tables.read("reccot_vectors"), policy)
    # A night that was missed may be made later: only snapshots after every n-th event come between by late events.
    marked = revisions.mark_past(filled, published, between=policy == "every_n_events")
    kept = snapshots.drop_unchanged(marked.where("past").drop("past"), stored)
    stage.counts[_KEPT] = kept.count()
    if stage.counts[_KEPT]:
        stage.notice(
            f"{stage.counts[_KEPT]:,} published histories would be others now, by late events, changed items or "
            "another every_n, and stay as they were read; --rewrite-past writes them"
        )
    return marked.where("NOT past").drop("past"), kept.select("user_id").distinct() if stage.counts[_KEPT] else None


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
