"""The tables of the team that runs trackrec: its log, its catalogue, its users. They are read and never written."""

from __future__ import annotations

from trackrec.tables.contract import Column, Table

INTERACTIONS = Table(
    "interactions",
    "What users did: the team's own log, one row an event.",
    (
        Column("user_id", "string", "the user"),
        Column("item_id", "string", "the item"),
        Column("event_time", "timestamp", "when it happened, UTC"),
        Column("rating", "double", "a graded answer; becomes the label by source.like_threshold", nullable=True),
        Column("label", "int", "1 liked, 0 not; given instead of, or besides, the rating", nullable=True),
        Column("available_time", "timestamp", "when the system learned of it; missing: at event_time", nullable=True),
        Column("split", "string", "train, validation or test: windows follow it, not time", nullable=True),
    ),
    key=("user_id", "item_id", "event_time"),
    writer="the team",
    external=True,
)

ITEMS = Table(
    "items",
    "What can be recommended: the team's own catalogue.",
    (
        Column("item_id", "string", "the item"),
        Column("title", "string", "its name, untrusted text", nullable=True),
        Column("attributes", "array<string>", "genres, categories, brands, …", nullable=True),
        Column("year", "int", "when it came out, 1000 to 2100; anything else counts as none", nullable=True),
        Column("description", "string", "what the team says about it, untrusted text", nullable=True),
    ),
    key=("item_id",),
    writer="the team",
    external=True,
)

USERS = Table(
    "users",
    "Optional: who the users are.",
    (Column("user_id", "string", "the user"), Column("profile", "string", "free text about the user", nullable=True)),
    key=("user_id",),
    writer="the team",
    external=True,
)
