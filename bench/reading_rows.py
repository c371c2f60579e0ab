"""Events of a log with what was known before each: those that V is tuned on, and a hold-out of users it never saw."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from itertools import groupby
from typing import Any

import numpy as np

from trackrec.ctr.as_of import counts_before
from trackrec.feedback.holdout import holdout_start_of
from trackrec.histories.shares import COLUMNS as SHARES
from trackrec.histories.templates import Template, template_of
from trackrec.reccots.mentions import AttributeNames
from trackrec.runtime.errors import BadInputError
from trackrec.runtime.settings import Settings
from trackrec.tables.lake import Lake
from trackrec.training.teachers.statistics import StatisticsTeacher

_HISTORY = ["user_id", "as_of", "template_version", "prompt_key", "prompt_body", *SHARES]
Item = tuple[str, tuple[str, ...]]  # title, attributes
_SAMPLES = ["user_id", "as_of", "item_id", "event_time", "known_time", "label", "window"]


@dataclass(frozen=True)
class Row:
    """One event, with what was known of its user and its item before it; ``snapshot`` is the history's, mixed."""

    snapshot: str
    user: str
    label: int
    history: str
    reccot: str
    item: str
    attributes: tuple[str, ...]
    named_liked: int  # of these, that the RecCoT names as liked
    named_avoided: int
    user_liked: int
    user_events: int
    item_liked: int
    item_events: int


@dataclass(frozen=True)
class Rows:
    """Rows to tune on, whole snapshots in the order of a hash, and the hold-out's, user by user in that order."""

    train: tuple[Row, ...]
    held: tuple[Row, ...]

    @property
    def digest(self) -> str:
        """12 hex digits over every row."""
        content = json.dumps([[asdict(row) for row in rows] for rows in (self.train, self.held)])
        return hashlib.sha256(content.encode()).hexdigest()[:12]


def read_rows(settings: Settings, conf: str, sets: Sequence[str], *, train: int, users: int, each: int) -> Rows:
    """``train`` rows before the hold-out's start, at most ``tune.next_events`` a snapshot; ``users`` × ``each`` later.

    RecCoTs are the statistics teacher's. Both parts are chosen by hashes of ids and times, never by a label. What was
    known only after the hold-out's start is in neither the training rows nor anything that stands in them.
    """
    earlier, later = halves(settings, conf, sets)
    taught = {row.user for row in earlier}
    held = balanced([row for row in later if row.user not in taught], users, each)
    tuned = flat(snapshots(earlier, settings.tune.next_events))[:train]
    if len(tuned) < train or len(held) < users * each:
        raise BadInputError(
            f"the log has {len(tuned)} of {train} events to tune on, and of {users} users {len(held) // each} with "
            f"{each} events to hold out.",
            "Ask for fewer (--more-examples, --holdout), or move --holdout-share.",
        )
    return Rows(tuple(tuned), tuple(held))


def halves(settings: Settings, conf: str, sets: Sequence[str]) -> tuple[list[Row], list[Row]]:
    """All rows that happened and were known before the hold-out's start, and those that happened from then on.

    Only events that join a snapshot have one. Builds the histories by the way.
    """
    items = _items(settings, conf, sets)
    template, lake = template_of(settings.prompt, settings.histories), Lake(settings.warehouse)
    histories = _written(lake, template)
    samples = [row for row in lake.read_columns("samples", _SAMPLES).to_pylist() if row["window"] == "alignment"]
    samples.sort(key=lambda row: (row["event_time"], row["user_id"], row["item_id"]))
    start = holdout_start_of([row["event_time"] for row in samples], settings.feedback.holdout_share)
    return _halves(samples, _rows(samples, histories, items), start)


def snapshots(rows: Iterable[Row], most: int | None = None) -> list[list[Row]]:
    """Rows of one snapshot together, at most ``most``, snapshots in the order of their hashes."""
    ordered = sorted(rows, key=lambda row: row.snapshot)  # stable: a snapshot's events stay in their order
    return [list(group)[:most] for _, group in groupby(ordered, key=lambda row: row.snapshot)]


def balanced(rows: Iterable[Row], users: int, each: int) -> list[Row]:
    """``each`` rows of each of ``users`` users, the first by hash that have so many; of the last snapshot a part."""
    of_user: dict[str, list[Row]] = {}
    for row in flat(snapshots(rows)):
        of_user.setdefault(row.user, []).append(row)
    enough = [user for user in ring(of_user) if len(of_user[user]) >= each]
    return [row for user in enough[:users] for row in of_user[user][:each]]


def ring(users: Iterable[str]) -> list[str]:
    """``users`` in the order of a hash."""
    return sorted(users, key=lambda user: hashlib.sha256(user.encode()).hexdigest())


def flat(groups: Iterable[Sequence[Row]]) -> list[Row]:
    """The rows of all groups."""
    return [row for group in groups for row in group]


def named_in(rows: Sequence[Row], reccots: Sequence[str]) -> list[tuple[int, int]]:
    """How many attributes of each row's item the RecCoT at its place names as liked, and how many as avoided."""
    catalogue = AttributeNames(name for row in rows for name in row.attributes)
    read = {text: catalogue.mentions(text) for text in set(reccots)}
    return [read[text].of_item(row.attributes) for row, text in zip(rows, reccots, strict=True)]


def others_reccots(rows: Sequence[Row]) -> list[str]:
    """For each row a RecCoT of the next user in the order of a hash: what it says is about somebody else."""
    users = ring({row.user for row in rows})
    following = dict(zip(users, [*users[1:], users[0]], strict=True))
    reccots = {row.user: row.reccot for row in rows}
    return [reccots[following[row.user]] for row in rows]


def _items(settings: Settings, conf: str, sets: Sequence[str]) -> dict[str, Item]:
    """Item → its title and attributes."""
    from jobs import build_histories
    from trackrec.histories.sources.reader import read_sources
    from trackrec.runtime.session import spark_session
    from trackrec.stages.inputs import cleaned_items

    if build_histories.main(["--conf", conf, *(part for text in sets for part in ("--set", text))]):
        raise SystemExit("build_histories failed")
    spark = spark_session(settings, "bench reading")
    items = cleaned_items(settings, read_sources(spark, settings)).good.collect()
    spark.stop()
    return {row["item_id"]: (row["title"], tuple(row["attributes"] or ())) for row in items}


def _named(title: str, attributes: Sequence[str]) -> str:
    """As V reads it."""
    return f"{title} ({', '.join(attributes)})" if attributes else title


def _written(lake: Lake, template: Template) -> dict[tuple[str, datetime], tuple[Mapping[str, Any], str]]:
    """(user, as_of) → the row of ``user_histories`` and what the teacher says of it."""
    stored = lake.read_columns("user_histories", _HISTORY).to_pylist()
    histories = [row for row in stored if row["template_version"] == template.version]
    texts = StatisticsTeacher(template).write(histories)
    return {(one.history["user_id"], one.history["as_of"]): (one.history, one.text) for one in texts}


def _rows(
    samples: Sequence[Mapping[str, Any]],
    histories: Mapping[tuple[str, datetime], tuple[Mapping[str, Any], str]],
    items: Mapping[str, Item],
) -> Iterator[Row | None]:
    """The row of each sample; None where it joins no snapshot."""
    of_user, of_item = (_counts(samples, name) for name in ("user_id", "item_id"))
    catalogue = AttributeNames(name for _, attributes in items.values() for name in attributes)
    read = {text: catalogue.mentions(text) for text in {text for _, text in histories.values()}}
    for sample, user, item in zip(samples, of_user, of_item, strict=True):
        written = histories.get((sample["user_id"], sample["as_of"]))
        if written is None:
            yield None
            continue
        history, text = written
        snapshot = hashlib.sha256(f"{sample['user_id']} {sample['as_of']}".encode()).hexdigest()
        title, attributes = items.get(sample["item_id"], (f"item {sample['item_id']}", ()))
        about = (history["prompt_body"], text, _named(title, attributes), attributes, *read[text].of_item(attributes))
        yield Row(snapshot, sample["user_id"], sample["label"], *about, *user, *item)


def _counts(samples: Sequence[Mapping[str, Any]], name: str) -> list[tuple[int, int]]:
    """(liked, events) of each sample's user or item among what was known before its snapshot."""
    _, group = np.unique([row[name] for row in samples], return_inverse=True)
    times = [[row["as_of"] or row["event_time"] for row in samples], [row["known_time"] for row in samples]]
    as_of, known = (np.array([time.timestamp() * 1e6 for time in column]).astype(np.int64) for column in times)
    label = np.array([row["label"] for row in samples], dtype=np.int64)
    events, liked = counts_before(group.astype(np.int64), as_of, known, label)
    return list(zip(liked.tolist(), events.tolist(), strict=True))


def _halves(
    samples: Sequence[Mapping[str, Any]], rows: Iterable[Row | None], start: datetime
) -> tuple[list[Row], list[Row]]:
    """The rows that happened and were known before ``start``, and those that happened from then on."""
    earlier: list[Row] = []
    later: list[Row] = []
    for sample, row in zip(samples, rows, strict=True):
        if row is None:
            continue
        if sample["event_time"] >= start:
            later.append(row)
        elif sample["known_time"] < start:
            earlier.append(row)
    return earlier, later
