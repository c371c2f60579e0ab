"""items → item_vectors: what the team's catalogue says of each item, as a vector."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from trackrec.histories.item_text import item_text
from trackrec.histories.sources.cleaning import clean_items
from trackrec.histories.sources.reader import Sources, read_sources
from trackrec.models.resolve import resolve
from trackrec.runtime.errors import BadInputError
from trackrec.runtime.events import Outcome
from trackrec.runtime.run import Run
from trackrec.stages.item_vectors import write_item_vectors
from trackrec.tables.schemas.items import CATALOGUE
from trackrec.tables.warehouse import Warehouse


def encode_items(run: Run, tables: Warehouse) -> Outcome:
    """Encode every item whose text has no vector of this encoder version yet; a second run encodes nothing.

    Items without any text have no vector, and neither have items of the log that the catalogue lacks: both are counted.
    Raises BadInputError for a source that cannot be read or whose items have no text at all, QualityGateError for
    faulty vectors.
    """
    settings = run.settings
    with run.stage("items") as stage:
        encoder = resolve(settings.encoder.model, settings.cache_dir())
        sources = read_sources(tables.spark, settings)
        items = clean_items(sources.items, settings.histories.max_title_chars, settings.source.items)
        counts = items.count()
        if counts.good == counts.textless:
            raise BadInputError(
                f"table items: none of its {counts.good:,} usable rows has title, year, attributes or description.",
                "Map the columns that say something under source.items.columns in conf/.",
            )
        texts = items.good.select(
            "item_id", F.lit(CATALOGUE).alias("text_source"), item_text().alias("text"), "attributes"
        )
        write_item_vectors(run, tables, stage, texts.where("text IS NOT NULL"), encoder)
        stage.counts["items without text"] = counts.textless
        stage.counts["log items without row"] = _log_items(sources).join(items.good, "item_id", "left_anti").count()
        stage.labels = {"encoder": encoder.version}
    return stage.outcome


def _log_items(sources: Sources) -> DataFrame:
    return sources.interactions.select("item_id").where("item_id != ''").distinct()
