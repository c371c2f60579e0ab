"""items, item_descriptions → item_vectors: what the catalogue and what G says of each item, as vectors."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from trackrec.histories.item_prompts import item_key
from trackrec.histories.item_templates import item_template_of
from trackrec.histories.item_text import item_text
from trackrec.histories.sources.item_columns import MAX_DESCRIPTION_CHARS
from trackrec.histories.sources.reader import read_sources
from trackrec.histories.untrusted import neutralise
from trackrec.models.resolve import resolve
from trackrec.reccots.descriptions import description_sampling, served_descriptions
from trackrec.runtime.errors import BadInputError
from trackrec.runtime.events import Outcome
from trackrec.runtime.run import Run
from trackrec.runtime.settings import Settings
from trackrec.stages.inputs import cleaned_items, items_of_log
from trackrec.stages.item_vectors import write_item_vectors
from trackrec.tables.schemas.items import CATALOGUE
from trackrec.tables.warehouse import Warehouse


def encode_items(run: Run, tables: Warehouse) -> Outcome:
    """Encode every item whose text has no vector of this encoder version yet; a second run encodes nothing.

    Items without any text have no vector, and neither have items of the log that the catalogue lacks: both are counted.
    Where jobs/describe_items.py has run, the descriptions of the present texts are encoded too, one an item and
    generator_version, whatever generator the settings name: readers choose by ``text_source``.
    Raises BadInputError for a source that cannot be read or whose items have no text at all, QualityGateError for
    faulty vectors.
    """
    settings = run.settings
    with run.stage("items") as stage:
        encoder = resolve(settings.encoder.model, settings.cache_dir())
        sources = read_sources(tables.spark, settings)
        items = cleaned_items(settings, sources)
        counts = items.count()
        if counts.good == counts.textless:
            raise BadInputError(
                f"table items: none of its {counts.good:,} usable rows has title, year, attributes or description.",
                "Map the columns that say something under source.items.columns in conf/.",
            )
        texts = items.good.select(
            "item_id", F.lit(CATALOGUE).alias("text_source"), item_text().alias("text"), "attributes"
        ).where("text IS NOT NULL")
        if tables.exists("item_descriptions"):
            texts = texts.unionByName(_descriptions(settings, tables, items.good))
        write_item_vectors(run, tables, stage, texts, encoder)
        stage.counts["items without text"] = counts.textless
        stage.counts["log items without row"] = items_of_log(sources).join(items.good, "item_id", "left_anti").count()
        stage.labels = {"encoder": encoder.version}
    return stage.outcome


def _descriptions(settings: Settings, tables: Warehouse, items: DataFrame) -> DataFrame:
    """item_id, text_source (the generator_version), text, attributes; of all generators that described an item."""
    template = item_template_of(settings.prompt, settings.describe)
    keyed = items.select("item_id", "attributes", item_key().alias("item_key"))
    served = served_descriptions(
        tables.read("item_descriptions"), keyed, template.version, description_sampling(settings)
    )
    # G read untrusted texts, and the encoder's tokenizer obeys some words: a description is untrusted too.
    text = neutralise(F.col("text"), MAX_DESCRIPTION_CHARS)
    texts = served.select("item_id", F.col("generator_version").alias("text_source"), text.alias("text"), "attributes")
    return texts.where("text != ''")
