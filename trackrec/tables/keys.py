"""Keys: a hash over what decides a row, as a Spark expression and in Python."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyspark.sql import Column


def key_of(*columns: Column | str) -> Column:
    """sha256 (hex) over columns, as a Spark expression; each is hashed first, so that no separator can be forged."""
    from pyspark.sql import functions as F

    parts = [F.sha2((F.col(c) if isinstance(c, str) else c).cast("string"), 256) for c in columns]
    return F.sha2(F.concat(*parts), 256)


def row_hash(*names: str) -> Column:
    """64 bits over columns of any type, as a Spark expression: rows that differ in one differ in it, but by chance."""
    from pyspark.sql import functions as F

    # Which columns are NULL is hashed too, as xxhash64 passes them over.
    return F.xxhash64(*names, *map(F.isnull, names))


def bucket_of(key: Column | str, buckets: int, *, part: int = 0) -> Column:
    """0 … buckets - 1 by 32 bits of ``key`` (hex, as from ``key_of``); a bigint, about as many rows each.

    ``part``: which 32 bits. Buckets within buckets take other bits than those around them, else some stay empty.
    """
    from pyspark.sql import functions as F

    return F.conv(F.substring(key, 1 + 8 * part, 8), 16, 10).cast("bigint") % buckets


def key_of_values(*values: str) -> str:
    """``key_of`` in Python, of strings."""
    return _hex("".join(_hex(value) for value in values))


def _hex(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
