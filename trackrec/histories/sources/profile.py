"""What was read, in one line: a person sees there whether the columns were mapped and the cells cut as meant."""

from __future__ import annotations

from dataclasses import dataclass

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from trackrec.histories.sources.cleaned import Counts

_EXAMPLES = 2


@dataclass(frozen=True)
class ItemProfile:
    """The catalogue after cleaning."""

    items: int
    attributes: int  # distinct
    examples: tuple[str, ...]  # the most frequent attributes, most frequent first
    untitled: int  # items called "item <id>"
    years: int = 0  # items with a year
    unusable_years: int = 0  # items whose year is none, and left out
    descriptions: int = 0  # items with a description

    @property
    def figures(self) -> dict[str, float]:
        """The numbers, by name."""
        return {
            "items": self.items,
            "attributes": self.attributes,
            "untitled": self.untitled,
            "years": self.years,
            "unusable years": self.unusable_years,
            "descriptions": self.descriptions,
        }

    def line(self) -> str:
        """E.g. ``items 600 · 27 attributes, e.g. Küche, Kaffee · 0 without title``.

        Then, where there are some, ``· 598 with year, 2 unusable · 12 with description``.
        """
        examples = f", e.g. {', '.join(self.examples)}" if self.examples else ""
        parts = [
            f"items {self.items:,}",
            f"{self.attributes:,} attributes{examples}",
            f"{self.untitled:,} without title",
        ]
        if self.years or self.unusable_years:
            unusable = f", {self.unusable_years:,} unusable" if self.unusable_years else ""
            parts.append(f"{self.years:,} with year{unusable}")
        if self.descriptions:
            parts.append(f"{self.descriptions:,} with description")
        return " · ".join(parts)


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
    return ItemProfile(
        items=counts.good,
        attributes=row["attributes"],
        examples=examples,
        untitled=counts.placeholders,
        years=counts.years,
        unusable_years=counts.unusable_years,
        descriptions=counts.descriptions,
    )
