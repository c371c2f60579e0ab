"""The body of G's prompt about an item, rendered by Spark expressions: no Python in a CPU stage."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from trackrec.histories.item_templates import ItemTemplate
from trackrec.histories.item_text import item_text
from trackrec.tables.keys import key_of
from trackrec.tables.schemas.items import CATALOGUE


def item_prompts(items: DataFrame, template: ItemTemplate) -> DataFrame:
    """A prompt an item: item_id, item_key, template_version, prompt_key, prompt_body.

    ``items``: as from ``clean_items``, neutralised, so that no text of theirs closes the fence. What an item lacks has
    no line.
    """
    return (
        items.withColumns(
            {
                "item_key": item_key(),
                "template_version": F.lit(template.version),
                "prompt_body": _prompt_body(template),
            }
        )
        .withColumn("prompt_key", key_of("item_id", "item_key", "template_version", "prompt_body"))
        .select("item_id", "item_key", "template_version", "prompt_key", "prompt_body")
    )


def item_key() -> Column:
    """The key of what the catalogue says of an item, as in ``item_vectors``; NULL where it says nothing."""
    return key_of(F.lit(CATALOGUE), item_text())


def _prompt_body(template: ItemTemplate) -> Column:
    attributes = F.array_join(F.slice("attributes", 1, template.max_attributes), ", ")
    return F.concat_ws(
        "\n",
        F.lit(template.lead.format(items=template.item_noun)),
        F.lit("<<<"),
        _line("Title", F.col("title")),
        _line("Year", F.col("year").cast("string")),
        _line(template.attribute_noun.capitalize(), F.nullif(attributes, F.lit(""))),
        _line("Description", F.col("description")),
        F.lit(">>>"),
        F.lit(template.question),
    )


def _line(label: str, text: Column) -> Column:
    """NULL, and so no line, where ``text`` is NULL."""
    return F.concat(F.lit(f"{label}: "), text)
