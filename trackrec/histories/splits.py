"""Windows of a log that says itself which of its events are for training, validation and test.

Such a split may follow time or not: leave-one-out gives every user a last event for test, a random one gives any. What
holds for each of them: features are as of each event, whatever split the events that they are made of belong to. What
holds only for a split by time: that no label that teaches is later than a test row. ``Split.lines`` counts it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from pyspark.sql import DataFrame, Row
from pyspark.sql import functions as F

from trackrec.histories.windows import WINDOWS, in_utc, quantiles
from trackrec.runtime.errors import BadInputError
from trackrec.runtime.settings import WindowSettings

SPLITS = ("train", "validation", "test")
_REMEDY = "Correct the column that source.interactions.columns maps to split, or give windows.boundaries instead."


@dataclass(frozen=True)
class Split:
    """What the split of a log comes to; times are UTC."""

    events: Mapping[str, int]  # split → events
    ctr_train: datetime  # train events before it are the alignment window, those from it on CTR train
    first_test: datetime
    late: int  # train events known only after the first test event
    late_for_user: int  # train events known only after a test event of the same user

    def lines(self) -> list[str]:
        """What a person should know of it: how the windows were made, and whether the split follows time."""
        sizes = ", ".join(f"{self.events[name]:,} {name}" for name in SPLITS)
        lines = [f"windows follow the log's split ({sizes}); train is alignment before {self.ctr_train:%F %T} UTC"]
        if self.late:
            lines.append(
                f"the split does not follow time: {self.late:,} of {self.events['train']:,} train events were known "
                f"only after the first test event ({self.first_test:%F %T} UTC), {self.late_for_user:,} of them after "
                "a test event of their user; features are as of each event, but labels later than a test row teach"
            )
        return lines


def split_of(events: DataFrame, settings: WindowSettings) -> Split | None:
    """The split of cleaned ``events`` (user_id, event_time, known_time, label, split); None where the log has none.

    Train is cut by time into alignment and CTR train, in the ratio of the first two ``windows.fractions``. Raises
    BadInputError where only some events have a split, a split has no event or one class of labels, or the train events
    lie at one time.
    """
    rows = events.groupBy("split").agg(
        F.count("*").alias("n"), F.sum("label").alias("liked"), F.min("event_time").alias("first")
    )
    by_name: dict[str | None, Row] = {row["split"]: row for row in rows.collect()}
    if set(by_name) <= {None}:
        return None
    _check(by_name)
    train = events.where("split = 'train'")
    first_test = in_utc(by_name["test"]["first"])
    late, late_for_user = _late(events, first_test)
    return Split(
        events={name: by_name[name]["n"] for name in SPLITS},
        ctr_train=_train_cut(train, by_name["train"]["first"], settings.fractions),
        first_test=first_test,
        late=late,
        late_for_user=late_for_user,
    )


def with_split_window(events: DataFrame, split: Split) -> DataFrame:
    """Add the column ``window``: validation and test as the log has them, train by ``split.ctr_train``."""
    alignment, ctr_train, ctr_validation, ctr_test = (F.lit(name) for name in WINDOWS)
    window = (
        F.when(F.col("split") == "test", ctr_test)
        .when(F.col("split") == "validation", ctr_validation)
        .when(F.col("event_time") >= F.lit(split.ctr_train), ctr_train)
        .otherwise(alignment)
    )
    return events.withColumn("window", window)


def _check(by_name: Mapping[str | None, Row]) -> None:
    total = sum(row["n"] for row in by_name.values())
    if None in by_name:
        raise BadInputError(
            f"table interactions: {by_name[None]['n']:,} of {total:,} usable rows have no split, the others have.",
            _REMEDY,
        )
    sizes = {name: by_name[name]["n"] if name in by_name else 0 for name in SPLITS}
    if empty := [name for name, n in sizes.items() if not n]:
        shown = ", ".join(f"{n:,} {name}" for name, n in sizes.items())
        raise BadInputError(
            f"table interactions: its split has no row for {' and '.join(empty)} ({shown} of {total:,}).", _REMEDY
        )
    for name in SPLITS:
        n, liked = by_name[name]["n"], by_name[name]["liked"]
        if liked in (0, n):
            raise BadInputError(
                f"table interactions: all {n:,} rows of the split {name} have label {int(liked > 0)}, and AUC needs "
                "both classes.",
                "Check source.like_threshold. " + _REMEDY,
            )


def _train_cut(train: DataFrame, first: datetime, fractions: tuple[float, ...]) -> datetime:
    alignment, ctr_train, *_ = fractions
    (cut,) = quantiles(train, [alignment / ((alignment + ctr_train) or 1)])
    if alignment and cut <= first:
        raise BadInputError(
            "table interactions: the train rows of its split cannot be cut by time into alignment and CTR train: "
            f"so many lie at their first time, {in_utc(first):%F %T} UTC.",
            "Give smaller windows.fractions to alignment, down to 0, or event times to the log.",
        )
    return in_utc(cut)


def _late(events: DataFrame, first_test: datetime) -> tuple[int, int]:
    first_of_user = events.where("split = 'test'").groupBy("user_id").agg(F.min("event_time").alias("first_test"))
    later = events.where("split = 'train'").where(F.col("known_time") > F.lit(first_test))
    row = (
        later.join(first_of_user, "user_id", "left")
        .agg(F.count("*"), F.count_if(F.col("known_time") > F.col("first_test")))
        .first()
    )
    return (int(row[0]), int(row[1])) if row is not None else (0, 0)
