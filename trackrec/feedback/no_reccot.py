"""V asked about the next events without a RecCoT: what the log score measures candidates against."""

from __future__ import annotations

from typing import NamedTuple

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from trackrec.feedback.metrics import NO_RECCOT
from trackrec.tables.keys import key_of


class Answers(NamedTuple):
    """V's answers about candidates, and those without a RecCoT."""

    candidates: DataFrame
    baseline: DataFrame


def with_no_reccots(candidates: DataFrame) -> DataFrame:
    """``candidates`` (row_key, prompt_key, user_id, as_of, text, status) and once a history one without text.

    Its row_key is made of the history and stands in ``validations`` as a candidate's does: it is asked once a history,
    whichever G wrote the candidates.
    """
    snapshot = ("prompt_key", "user_id", "as_of")
    nothing = candidates.select(*snapshot).distinct()
    nothing = nothing.select(
        _no_reccot_key().alias("row_key"),
        *snapshot,
        F.lit(None).cast("string").alias("text"),
        F.lit("ok").alias("status"),
    )
    return candidates.select("row_key", *snapshot, "text", "status").unionByName(nothing)


def split_answers(answers: DataFrame) -> Answers:
    """``answers`` as from ``questions.answered``, apart: a row without a RecCoT is known by its key."""
    baseline = F.col("row_key") == _no_reccot_key()
    return Answers(answers.where(~baseline), answers.where(baseline))


def _no_reccot_key() -> Column:
    return key_of("prompt_key", "as_of", F.lit(NO_RECCOT))
