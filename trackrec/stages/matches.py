"""How far the RecCoT that V is shown speaks for the item that it is asked about, by the attributes that both name."""

from __future__ import annotations

from collections.abc import Mapping

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from trackrec.feedback.holdout_figures import EVENT, Event, event_of
from trackrec.reccots.mentions import mentions_of


def matches_of(by_variant: Mapping[str, DataFrame], items: DataFrame) -> dict[str, dict[Event, float]]:
    """Variant → event → attributes of its item that the RecCoT names as liked, less those that it names as avoided.

    ``by_variant``: as from ``holdout_questions.variants``; ``items``: item_id, attributes. 0 without a RecCoT, or
    where it names none of them.
    """
    shown = {name: rows.select(*EVENT, "text").collect() for name, rows in by_variant.items()}
    asked = next(iter(by_variant.values())).select("item_id").distinct()
    of_item = {
        row["item_id"]: row["attributes"] or ()
        for row in items.join(asked, "item_id").select("item_id", "attributes").collect()
    }
    named = {row["name"] for row in items.select(F.explode("attributes").alias("name")).distinct().collect()}
    texts = {row["text"] for rows in shown.values() for row in rows if row["text"]}
    mentions = {text: mentions_of(text, named) for text in texts}

    def match(text: str | None, item_id: str) -> float:
        liked, avoided = mentions[text].match(of_item.get(item_id, ())) if text else (0, 0)
        return float(liked - avoided)

    return {
        name: {event_of(row.asDict()): match(row["text"], row["item_id"]) for row in rows}
        for name, rows in shown.items()
    }
