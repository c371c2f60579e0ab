"""What a night reads of the log: all of it, or only the events of users with news since the last night."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from trackrec.histories import news
from trackrec.histories.sources.cleaned import told_by_table
from trackrec.histories.sources.cleaning import checked_interactions, of_users
from trackrec.histories.templates import template_of
from trackrec.runtime.errors import BadInputError
from trackrec.runtime.events import Stage
from trackrec.runtime.run import Run
from trackrec.runtime.settings import Settings
from trackrec.tables import schemas
from trackrec.tables.stamp import stamped
from trackrec.tables.warehouse import Warehouse

# Of the settings of histories those that no snapshot shows.
_NOT_SHAPING = {"as_of", "rewrite_past", "max_lag_days", "full", "max_broadcast_items"}
_UNFINISHED = ""  # in the place of the hash: no night goes on from this one
_TIME = "%Y-%m-%d %H:%M"


@dataclass(frozen=True)
class LogFigures:
    """Of the whole log: users, rows and faulty ones, first event, newest event before the night (both UTC or None)."""

    users: int
    rows: int
    faulty: int
    first_time: datetime | None
    newest_time: datetime | None


@dataclass(frozen=True)
class NightLog:
    """What the night reads: ``users`` (user_id) with news, None: all; ``logs`` as from ``news.user_logs``."""

    night: datetime
    logs: DataFrame
    stored: DataFrame  # ``log_digests`` as they were
    changed_items: DataFrame
    users: DataFrame | None
    figures: LogFigures

    def of_read(self, rows: DataFrame) -> DataFrame:
        """The ``rows`` (user_id) of users whose log is read."""
        return rows if self.users is None else rows.join(self.users, "user_id", "left_semi")

    def interactions(self, raw: DataFrame) -> DataFrame:
        """The rows of the source that are read."""
        return raw if self.users is None else of_users(raw, self.users)

    def without_history(self, scope: DataFrame) -> int:
        """How many users of ``scope`` (user_id) and of the log have no event known before the night."""
        of_log = self.logs.where("user_id != '' AND first_time IS NOT NULL").select("user_id")
        everybody = scope.select("user_id").unionByName(of_log).distinct()
        return everybody.join(self.logs.where("newest_time IS NOT NULL"), "user_id", "left_anti").count()

    def finish(self, run: Run, tables: Warehouse, kept: DataFrame | None) -> None:
        """Record what was read: the next night starts from it. Last of all, when the night's histories are written.

        ``kept``: user_id of users whose history stays another than their log has it, as it was published: they are read
        again the next night, whose history it changes. So are those who have left the log, when they come back.
        """
        gone = self.stored.join(self.logs, "user_id", "left_anti").select("user_id", F.lit("").alias("digest"))
        digests = self.of_read(self.logs).select("user_id", "digest").unionByName(gone)
        if kept is not None:
            again = kept.select("user_id", F.lit(True).alias("_kept"))
            digest = F.when(F.col("_kept"), "").otherwise(F.col("digest")).alias("digest")
            digests = digests.join(again, "user_id", "left").select("user_id", digest)
        # Killed between the digests and its own row, it would leave the last night with digests of another.
        if self.users is None and tables.exists("nights"):
            self._insert_night(run, tables, _UNFINISHED)
        tables.upsert("log_digests", stamped(digests, run.stamp()))
        tables.upsert("item_digests", stamped(self.changed_items, run.stamp()))
        self._insert_night(run, tables, settings_hash(run.settings))

    def _insert_night(self, run: Run, tables: Warehouse, settings: str) -> None:
        last = tables.read_or_empty("nights").agg(F.max("sequence")).first()
        sequence = ((last[0] if last else None) or 0) + 1
        row = {"sequence": sequence, "as_of": self.night, "settings_hash": settings, **run.stamp()}
        tables.insert_rows("nights", [row])


@contextmanager
def night_log(run: Run, tables: Warehouse, stage: Stage, raw: DataFrame, items: DataFrame) -> Iterator[NightLog]:
    """Find who has news since the last finished night; all are read where there is none like this one, and if asked to.

    ``raw``: interactions as ``read_table`` gives them; ``items``: cleaned. Log and catalogue are looked at now: what is
    loaded while the night works is news of the next. Raises BadInputError for a log that cannot be read.
    """
    settings = run.settings
    night, since = settings.histories.night(), _last_night(settings, tables)
    stored = tables.read_or_empty("log_digests")
    with ExitStack() as held:
        digests = news.changed_items(news.item_digests(items), tables.read_or_empty("item_digests"))
        changed = held.enter_context(tables.materialised(digests))
        met = None if since is None or changed.isEmpty() else changed
        scanned = news.user_logs(checked_interactions(raw, settings.source), night, since, met)
        with told_by_table(schemas.INTERACTIONS.name):
            logs = held.enter_context(tables.materialised(scanned))
        figures, users = _figures(logs), None
        if since is not None:
            users = held.enter_context(tables.materialised(news.users_with_news(logs, stored)))
            stage.counts["users without news"] = figures.users - users.where("user_id != ''").count()
        yield NightLog(night, logs, stored, changed, users, figures)


def settings_hash(settings: Settings) -> str:
    """sha256 of what shapes a history: where the log lies and how it is read, the template, how much is shown."""
    shaping = {
        "source": settings.source.model_dump(mode="json"),
        "histories": settings.histories.model_dump(mode="json", exclude=_NOT_SHAPING),
        "windows": settings.windows.model_dump(mode="json"),
        "template": template_of(settings.prompt, settings.histories).version,
    }
    return hashlib.sha256(json.dumps(shaping, sort_keys=True).encode()).hexdigest()


def _last_night(settings: Settings, tables: Warehouse) -> datetime | None:
    """The as_of of the last night, if what it read holds for this one; None: all is read.

    A part is not enough where the past is rewritten, where users are chosen out of all, and for an earlier night.
    """
    histories = settings.histories
    if histories.full or histories.rewrite_past or histories.max_users is not None:
        return None
    if not (tables.exists("nights") and tables.exists("user_histories")):
        return None
    last = tables.read("nights").orderBy(F.desc("sequence")).limit(1).select("as_of", "settings_hash").collect()
    if not last or last[0]["settings_hash"] != settings_hash(settings):
        return None
    as_of: datetime = last[0]["as_of"].astimezone(histories.night().tzinfo)
    return as_of if as_of <= histories.night() else None


def _figures(logs: DataFrame) -> LogFigures:
    total = [F.coalesce(F.sum(name), F.lit(0)) for name in ("rows", "faulty")]
    row = logs.agg(F.count_if(F.col("user_id") != ""), *total, F.min("first_time"), F.max("newest_time")).first()
    assert row is not None  # an aggregate without groups has one row
    return LogFigures(*row)


def check_reaches(log: LogFigures, settings: Settings) -> None:
    """Raise BadInputError for a night before the whole log, or so long after it that the log was not loaded."""
    night, lag = settings.histories.night(), timedelta(days=settings.histories.max_lag_days)
    if log.first_time is None:
        return  # no usable row: told by who cleans them
    first = log.first_time.astimezone(night.tzinfo)
    if log.newest_time is None:
        raise BadInputError(
            f"histories.as_of {night:{_TIME}} UTC is before all events, of which the first is of {first:{_TIME}} UTC.",
            "Set histories.as_of to a night of the log.",
        )
    newest = log.newest_time.astimezone(night.tzinfo)
    if newest < night - lag:
        raise BadInputError(
            f"histories.as_of {night:{_TIME}} UTC is more than histories.max_lag_days "
            f"{settings.histories.max_lag_days:g} after the newest event before it, of {newest:{_TIME}} UTC.",
            "Load the log first, set histories.as_of to the night that it reaches, or raise max_lag_days.",
        )
