"""What data a loop works on, as digests that any change of its rows changes and no order of them does."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from trackrec.feedback.holdout import alignment_end, holdout_start

_SAMPLE = ("user_id", "item_id", "event_time", "label", "known_time")
_HISTORY = ("user_id", "as_of", "prompt_key")
_ITEM = ("item_id", "title", "attributes")


def loop_data(samples: DataFrame, histories: DataFrame, items: DataFrame, holdout_share: float) -> dict[str, str]:
    """Digests of the alignment window's samples, of the histories that they join and of their items; the boundaries.

    Other histories, e.g. of a night, teach nobody in the loop and are no part of what it is known by.

    ``samples`` as the table has them, with as_of; ``histories``: user_id, as_of, prompt_key; ``items``: item_id,
    title, attributes. Raises BadInputError where the window is too small for a hold-out.
    """
    window = samples.where("window = 'alignment'")
    return {
        "samples": content_digest(window, _SAMPLE),
        "histories": content_digest(histories.where(joined_in_alignment(samples)), _HISTORY),
        "items": content_digest(items.join(window, "item_id", "left_semi"), _ITEM),
        "holdout_start": str(holdout_start(samples, holdout_share)),
        "alignment_end": str(alignment_end(samples)),
    }


def joined_in_alignment(samples: DataFrame) -> Column:
    """A condition on histories (user_id, as_of): whether an event of the alignment window joins that snapshot."""
    joined = samples.select(F.col("user_id").alias("_user"), F.col("as_of").alias("_as_of"), "window")
    same_snapshot = (F.col("_user") == F.col("user_id").outer()) & (F.col("_as_of") == F.col("as_of").outer())
    return joined.where((F.col("window") == "alignment") & same_snapshot).exists()


def content_digest(rows: DataFrame, columns: tuple[str, ...]) -> str:
    """Number of rows, and the sum and the exclusive or of their 64-bit hashes: the same for any order of the rows."""
    row_hash = F.xxhash64(*columns)
    totals = rows.select(row_hash.alias("hash")).agg(
        F.count("*"), F.sum(F.col("hash").cast("decimal(20,0)")), F.bit_xor("hash")
    )
    return ":".join(str(value) for value in totals.first() or ())
