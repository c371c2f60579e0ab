"""What was read, in one line: a person sees there whether the columns were mapped and the cells cut as meant."""

from __future__ import annotations

from dataclasses import dataclass

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from trackrec.histories.sources.cleaning import Counts

_EXAMPLES = 2


@dataclass(frozen=True)
class ItemProfile:
    """The catalogue after cleaning."""

    items: int
    attributes: int  # distinct
    examples: tuple[str, ...]  # the most frequent attributes, most frequent first
    untitled: int  # items called "item <id>"

    @property
    def figures(self) -> dict[str, float]:
        """The numbers, by name."""
        return {"items": self.items, "attributes": self.attributes, "untitled": self.untitled}

    def line(self) -> str:
        """E.g. ``items 600 · 27 attributes, e.g. Küche, Kaffee · 0 without title``."""
        examples = f", e.g. {', '.join(self.examples)}" if self.examples else ""
        return f"items {self.items:,} · {self.attributes:,} attributes{examples} · {self.untitled:,} without title"


def item_profile(items: DataFrame, counts: Counts) -> ItemProfile:
    """The profile of cleaned ``items`` (attributes: array<string>, distinct in an item), in one pass over them.

    ``counts``: as ``Cleaned.count`` gives them for these items. Examples are the two most frequent attributes; equally
    frequent ones stand in alphabetical order.
    """
    by_attribute = items.select(F.explode("attributes").alias("attribute")).groupBy("attribute").count()
    # All distinct attributes in one array: fewer than the catalogue, which every executor holds when prompts are made.
    ranked = F.sort_array(F.collect_list(F.struct(F.negative("count").alias("order"), "attribute")))
    row = by_attribute.agg(F.count("*").alias("attributes"), F.slice(ranked, 1, _EXAMPLES).alias("examples")).first()
    assert row is not None  # an aggregate without groups has one row
    examples = tuple(example["attribute"] for example in row["examples"])
    return ItemProfile(counts.good, row["attributes"], examples, counts.placeholders)
