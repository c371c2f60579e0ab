"""What G wrote about items: how it is sampled, and which of its texts is the one of an item."""

from __future__ import annotations

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from trackrec.runtime.settings import SamplingSettings, Settings


def description_sampling(settings: Settings) -> SamplingSettings:
    """How descriptions are sampled: as G's other texts, one an item, of ``describe.max_tokens``."""
    return settings.generator.sampling.model_copy(update={"max_tokens": settings.describe.max_tokens, "n": 1})


def served_descriptions(
    descriptions: DataFrame, items: DataFrame, template_version: str, sampling: SamplingSettings
) -> DataFrame:
    """The description of each item by each generator_version: item_id, generator_version, text, attributes.

    ``descriptions``: rows of ``item_descriptions``; ``items``: item_id, item_key (of its present text), attributes. A
    description of an earlier text is left out, and so is one without text. Where one generator wrote several, by other
    templates or otherwise sampled, the one of ``template_version`` and ``sampling`` is served, else the newest.
    """
    is_current = (F.col("template_version") == template_version, F.col("sampling") == sampling.canonical())
    best = Window.partitionBy("item_id", "generator_version").orderBy(
        *map(F.desc, is_current), F.desc("created_time"), "row_key"
    )
    return (
        descriptions.where("status IN ('ok', 'cut')")
        .join(items.select("item_id", "item_key", "attributes"), ["item_id", "item_key"])
        .withColumn("_rank", F.row_number().over(best))
        .where("_rank = 1")
        .select("item_id", "generator_version", "text", "attributes")
    )
