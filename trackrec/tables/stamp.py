"""Who wrote a row and when, as columns."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


def stamped(rows: DataFrame, stamp: Mapping[str, str | datetime]) -> DataFrame:
    """``rows`` with the columns of ``Run.stamp``: run_id and created_time (UTC)."""
    from pyspark.sql import functions as F

    return rows.withColumns({name: F.lit(value) for name, value in stamp.items()})
