"""Keys: a hash over what decides a row, as a Spark expression."""

from __future__ import annotations

from pyspark.sql import Column
from pyspark.sql import functions as F


def key_of(*columns: Column | str) -> Column:
    """sha256 (hex) over columns, as a Spark expression; each is hashed first, so that no separator can be forged."""
    parts = [F.sha2((F.col(c) if isinstance(c, str) else c).cast("string"), 256) for c in columns]
    return F.sha2(F.concat(*parts), 256)
