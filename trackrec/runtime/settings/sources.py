"""Whose logs are read: the interactions, items and users that everything is made from."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from trackrec.runtime.settings.section import Section


class TableSource(Section):
    """Where one of the team's tables lies, and what its columns are called there."""

    format: Literal["delta", "parquet", "csv"] = "delta"
    path: str  # a path, or catalog.schema.table
    columns: dict[str, str] = Field(default_factory=dict)  # name in the contract -> name in the table
    attribute_separator: str = Field(" ", min_length=1)  # only where attributes is one string column
    options: dict[str, str] = Field(default_factory=dict)  # handed to Spark's reader, e.g. sep, header


class SourceSettings(Section):
    """Whose logs are read: the team's tables, or a public set of the same contract, fetched into the cache.

    ``movielens`` is MovieLens-100k, ``movielens-1m`` MovieLens-1M before 2001-06-01. With ``decades`` the decade of an
    item's year, e.g. 1990s, is one more of its attributes.
    """

    kind: Literal["tables", "movielens", "movielens-1m"] = "tables"
    interactions: TableSource | None = None
    items: TableSource | None = None
    users: TableSource | None = None
    decades: bool = False
    like_threshold: float = 4.0  # a rating >= this is a like
    rating_min: float = 1.0
    rating_max: float = 5.0
