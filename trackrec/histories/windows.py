"""Four windows by time, and each labelled event joined to the newest snapshot of its user.

alignment < ctr_train < ctr_validation < ctr_test: G and V learn in the first, and never see a label of a later one.
A log that carries a split has its windows from that (splits.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from trackrec.runtime.errors import BadInputError
from trackrec.runtime.settings import WindowSettings

WINDOWS = ("alignment", "ctr_train", "ctr_validation", "ctr_test")


def boundaries(events: DataFrame, settings: WindowSettings) -> tuple[datetime, ...]:
    """First instants (UTC) of the last three windows: as configured, else the quantiles of event_time by fractions.

    Raises BadInputError where they do not increase, e.g. when there are too few distinct times.
    """
    starts: Sequence[datetime] = settings.boundaries or _by_fractions(events, settings.fractions)
    if len(starts) != 3 or not starts[0] < starts[1] < starts[2]:
        raise BadInputError(
            f"the four time windows are not distinct: they would begin at {', '.join(map(str, starts)) or 'no time'}.",
            "Give windows.boundaries, three increasing times, or more events.",
        )
    return tuple(in_utc(start) for start in starts)


def quantiles(events: DataFrame, shares: Sequence[float]) -> Sequence[datetime]:
    """The event_time below which each of ``shares`` of the events lies, as PySpark hands it out; of no events none."""
    row = events.select(F.percentile_approx("event_time", list(shares), 1_000_000)).first()
    return row[0] or () if row else ()


def in_utc(time: datetime) -> datetime:
    """A time as PySpark hands it out, naive and local, as an aware one in UTC."""
    return time.astimezone(UTC)


def _by_fractions(events: DataFrame, fractions: Sequence[float]) -> Sequence[datetime]:
    return quantiles(events, [sum(fractions[: i + 1]) for i in range(3)])


def fractions_line(fractions: Sequence[float]) -> str:
    """What a person should know where windows are cut by ``fractions``: half of a log may be for G and V alone."""
    shares = ", ".join(f"{100 * share:.0f} % to {name}" for share, name in zip(fractions, WINDOWS, strict=True))
    return f"windows.fractions gives {shares} of the events, by time"


def with_window(events: DataFrame, starts: tuple[datetime, ...]) -> DataFrame:
    """Add the column ``window`` by event_time; an event at a boundary belongs to the later window."""
    window = F.lit(WINDOWS[0])
    for name, start in zip(WINDOWS[1:], starts, strict=True):
        window = F.when(F.col("event_time") >= F.lit(start), F.lit(name)).otherwise(window)
    return events.withColumn("window", window)


def join_newest_snapshot(events: DataFrame, snapshots: DataFrame) -> DataFrame:
    """Add ``as_of``: the user's newest snapshot with as_of <= event_time, NULL where there is none.

    ``events``: user_id, event_time, …; ``snapshots``: user_id, as_of. One sort per user instead of a range join: both
    are laid on one time line, snapshots first where times are equal, and the last as_of seen is carried forward.
    """
    marks = snapshots.select("user_id", "as_of").withColumns(
        {"_time": F.col("as_of"), "_is_event": F.lit(0), "_event": F.lit(None).cast(_event_type(events))}
    )
    line = events.select(
        "user_id",
        F.lit(None).cast("timestamp").alias("as_of"),
        F.col("event_time").alias("_time"),
        F.lit(1).alias("_is_event"),
        F.struct(*[c for c in events.columns if c != "user_id"]).alias("_event"),
    ).unionByName(marks)
    so_far = Window.partitionBy("user_id").orderBy("_time", "_is_event").rowsBetween(Window.unboundedPreceding, 0)
    return (
        line.withColumn("as_of", F.last("as_of", ignorenulls=True).over(so_far))
        .where("_is_event = 1")
        .select("user_id", "_event.*", "as_of")
    )


def _event_type(events: DataFrame) -> str:
    """The SQL type of one event of ``events`` without its user_id."""
    return "struct<" + ",".join(f"`{name}`:{kind}" for name, kind in events.dtypes if name != "user_id") + ">"
