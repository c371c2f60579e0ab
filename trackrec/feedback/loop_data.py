"""What data a loop works on, as digests that any change of its rows changes and no order of them does."""

from __future__ import annotations

from pyspark.sql import DataFrame
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
    joined = histories.join(alignment_snapshots(samples), ["user_id", "as_of"], "left_semi")
    return {
        "samples": content_digest(window, _SAMPLE),
        "histories": content_digest(joined, _HISTORY),
        "items": content_digest(items.join(window, "item_id", "left_semi"), _ITEM),
        "holdout_start": str(holdout_start(samples, holdout_share)),
        "alignment_end": str(alignment_end(samples)),
    }


def alignment_snapshots(samples: DataFrame) -> DataFrame:
    """user_id, as_of of the snapshots that an event of the alignment window joins."""
    return samples.where("window = 'alignment'").select("user_id", "as_of").distinct()


def content_digest(rows: DataFrame, columns: tuple[str, ...]) -> str:
    """Number of rows, and the sum and the exclusive or of their 64-bit hashes: the same for any order of the rows."""
    row_hash = F.xxhash64(*columns)
    totals = rows.select(row_hash.alias("hash")).agg(
        F.count("*"), F.sum(F.col("hash").cast("decimal(20,0)")), F.bit_xor("hash")
    )
    return ":".join(str(value) for value in totals.first() or ())
