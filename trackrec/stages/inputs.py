"""What several stages read with Spark: histories, items, RecCoTs, what V is asked about them, the hold-out's events."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from trackrec.feedback.holdout import alignment_end, holdout_start
from trackrec.feedback.holdout_questions import holdout_events
from trackrec.feedback.loop_data import alignment_snapshots
from trackrec.feedback.questions import next_events, score_requests
from trackrec.feedback.templates import ValidatorTemplate
from trackrec.feedback.user_split import fold_of
from trackrec.histories.snapshots import current_histories
from trackrec.histories.sources.cleaned import Cleaned
from trackrec.histories.sources.cleaning import clean_items
from trackrec.histories.sources.reader import Sources, read_sources
from trackrec.histories.templates import template_of
from trackrec.reccots.feature_version import generator_of
from trackrec.reccots.features import written_by
from trackrec.runtime.settings import Settings
from trackrec.tables.warehouse import Warehouse


def stored_histories(settings: Settings, tables: Warehouse) -> DataFrame:
    """The rows of ``user_histories`` under the settings' template, as from ``current_histories``."""
    template = template_of(settings.prompt, settings.histories)
    return current_histories(tables.read("user_histories"), template.version)


def of_users(settings: Settings, rows: DataFrame) -> DataFrame:
    """``rows`` (user_id) of the users that generator.users names; of all where it names none."""
    users = settings.generator.users
    return rows if users is None else rows.where(F.col("user_id").isin(*users))


def item_catalogue(settings: Settings, tables: Warehouse) -> DataFrame:
    """The usable items of the source, neutralised, in the columns of ``clean_items``' good rows.

    Raises BadInputError for a source that cannot be read.
    """
    return cleaned_items(settings, read_sources(tables.spark, settings)).good


def cleaned_items(settings: Settings, sources: Sources) -> Cleaned:
    """``clean_items`` of the source as the settings have it."""
    source = settings.source
    return clean_items(sources.items, settings.histories.max_title_chars, source.items, decades=source.decades)


def items_of_log(sources: Sources) -> DataFrame:
    """Every item that some user met, each once: item_id, events (how many rows of the log name it)."""
    return sources.interactions.where("item_id != ''").groupBy("item_id").agg(F.count("*").alias("events"))


def reccots_of(settings: Settings, tables: Warehouse) -> DataFrame:
    """The RecCoTs of the generator and the sampling that the settings name; BadInputError where weights are missing."""
    return written_by(tables.read("reccots"), *generator_of(settings))


def questions_about(
    settings: Settings, tables: Warehouse, reccots: DataFrame, template: ValidatorTemplate, count: int
) -> DataFrame:
    """What V reads of each RecCoT and its ``count`` next events in the alignment window, before its hold-out.

    Rows as from ``questions.score_requests``; RecCoTs without text have none.
    """
    samples = tables.read("samples")
    before = holdout_start(samples, settings.feedback.holdout_share)
    events = next_events(reccots, samples, before=before, count=count)
    return score_requests(
        reccots.where("status IN ('ok', 'cut')"),
        stored_histories(settings, tables),
        events,
        item_catalogue(settings, tables),
        template,
        max_title_chars=settings.histories.max_title_chars,
    )


def holdout_of(settings: Settings, tables: Warehouse) -> DataFrame:
    """The events of the hold-out that every round is measured on, as from ``holdout_events``, and each user's fold.

    Of users whom a V judges: without feedback.cross_fit those that V is not tuned on.
    """
    samples = tables.read("samples").withColumn("fold", _fold(settings))
    judged = samples if settings.feedback.cross_fit else samples.where("fold = 1")
    events = holdout_events(
        judged,
        stored_histories(settings, tables),
        start=holdout_start(samples, settings.feedback.holdout_share),
        end=alignment_end(samples),
        count=settings.loop.holdout_samples,
    )
    return events.withColumn("fold", _fold(settings))


def teaching_snapshots(settings: Settings, tables: Warehouse, count: int | None) -> DataFrame:
    """user_id, as_of of the snapshots that a loop's V's and G learn from: of the alignment window, before its hold-out.

    At most ``count`` of them (None: all), the smallest by prompt_key, which is a hash: of fewer the same ones.
    """
    samples = tables.read("samples")
    before = F.col("as_of") < F.lit(holdout_start(samples, settings.feedback.holdout_share))
    histories = stored_histories(settings, tables).where(before).select("prompt_key", "user_id", "as_of")
    taught = histories.join(alignment_snapshots(samples), ["user_id", "as_of"], "left_semi")
    if count is not None:
        taught = taught.orderBy("prompt_key", "as_of").limit(count)
    return taught.select("user_id", "as_of")


def _fold(settings: Settings) -> Column:
    return fold_of(F.col("user_id"), settings.feedback.validator_share)
