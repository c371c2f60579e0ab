"""What became of the histories that are to be published: served, empty, given up, or not there yet."""

from __future__ import annotations

from dataclasses import dataclass

from pyspark.sql import DataFrame
from pyspark.sql import functions as F


@dataclass(frozen=True)
class Coverage:
    """Numbers of histories: all, and of them those whose RecCoT can be served, is empty, or was given up by G.

    The others have none yet: a run of generate asks for them.
    """

    histories: int
    served: int
    empty: int
    given_up: int

    @property
    def given_up_share(self) -> float:
        """Share of the histories that are in quarantine in the place of a RecCoT."""
        return self.given_up / self.histories if self.histories else 0.0


def coverage_of(histories: DataFrame, reccots: DataFrame, faults: DataFrame) -> Coverage:
    """Count ``histories`` (prompt_key) by what became of them.

    ``reccots``: prompt_key, status, one row a prompt of one writer and sampling. ``faults``: prompt_key of what is
    asked for no more, maybe several times.
    """
    state = reccots.select("prompt_key", F.col("status").alias("_status"))
    given_up = faults.select("prompt_key").distinct().withColumn("_given_up", F.lit(True))
    row = (
        histories.select("prompt_key")
        .join(state, "prompt_key", "left")
        .join(given_up, "prompt_key", "left")
        .agg(
            F.count("*"),
            F.count_if(F.col("_status").isin("ok", "cut")),
            F.count_if(F.col("_status") == "empty"),
            F.count_if(F.col("_status").isNull() & F.col("_given_up")),
        )
        .first()
    )
    assert row is not None  # an aggregate without groups has one row
    return Coverage(*row)
