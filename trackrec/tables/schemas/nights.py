"""The tables by which a night finds out what is new: what the last one had read, of users and of items."""

from __future__ import annotations

from trackrec.tables.contract import Column, Table
from trackrec.tables.schemas.columns import CREATED, RUN

_WRITER = "jobs/build_histories.py or nightly.py, policy nightly"

NIGHTS = Table(
    "nights",
    "The nights whose histories were built to the end, in the order of their building.",
    (
        Column("sequence", "bigint", "counts up: the last one built has the greatest, whatever its as_of"),
        Column("as_of", "timestamp", "the night (UTC): nothing at or after it was seen"),
        Column("settings_hash", "string", "sha256 of the settings that shape a history: source, prompt, lengths"),
        RUN,
        CREATED,
    ),
    key=("sequence",),
    writer=_WRITER,
)

LOG_DIGESTS = Table(
    "log_digests",
    "What each user's log was when a night last read it: a user whose digest differs has news.",
    (
        Column("user_id", "string", "the user; empty: rows without one"),
        Column("digest", "string", "number and hashes of the user's rows of the log; empty: read again next time"),
        RUN,
        CREATED,
    ),
    key=("user_id",),
    writer=_WRITER,
)

ITEM_DIGESTS = Table(
    "item_digests",
    "What each item was when a night last read the catalogue: who met an item whose digest differs has news.",
    (
        Column("item_id", "string", "the item"),
        Column("digest", "string", "hash of its title, attributes, year and description; empty: it was gone"),
        RUN,
        CREATED,
    ),
    key=("item_id",),
    writer=_WRITER,
)
