"""items → item_descriptions: what G knows of each item and the log does not, asked once an item."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from trackrec.engines.spec import EngineSpec
from trackrec.histories.item_prompts import item_prompts
from trackrec.histories.item_templates import item_template_of
from trackrec.histories.sources.reader import read_sources
from trackrec.models.resolve import resolve
from trackrec.reccots.descriptions import description_sampling
from trackrec.reccots.sentences import served_text
from trackrec.runtime.errors import BadInputError
from trackrec.runtime.events import Outcome
from trackrec.runtime.run import Run
from trackrec.runtime.settings import Settings
from trackrec.stages.inputs import cleaned_items, items_of_log
from trackrec.stages.texts import TextKind, write_texts
from trackrec.tables.schemas import DESCRIPTION_TEXTS
from trackrec.tables.warehouse import Warehouse

_DESCRIPTIONS = TextKind(DESCRIPTION_TEXTS, "descriptions", served_text)


def describe_items(run: Run, tables: Warehouse) -> Outcome:
    """Describe every item that has no description of this generator version and prompt yet; see ``write_texts``.

    An item whose text in the catalogue changed is described anew; one that left the catalogue keeps its description.
    Items without a title are not described: a model knows an item by its name. Raises BadInputError for a source or a
    model that cannot be had, an unknown template, and where no item to describe has a title.
    """
    settings = run.settings
    template = item_template_of(settings.prompt, settings.describe)
    with run.stage("describe") as stage:
        items, untitled = _items_to_describe(settings, tables)
        model = resolve(settings.generator.model, settings.cache_dir())
        sampled = settings.generator.model_copy(update={"sampling": description_sampling(settings)})
        spec = EngineSpec.for_generator(sampled, model, template.opening)
        prompts = item_prompts(items, template).persist()  # else the log is read for each count
        try:
            write_texts(run, tables, stage, _DESCRIPTIONS, prompts, spec)
        finally:
            prompts.unpersist()
        stage.counts["items without title"] = untitled
    return stage.outcome


def _items_to_describe(settings: Settings, tables: Warehouse) -> tuple[DataFrame, int]:
    """Items with a title, and how many others there are without one, of the log or of the whole catalogue."""
    sources = read_sources(tables.spark, settings)
    cleaned = cleaned_items(settings, sources)
    cleaned.count()  # what a quote in a CSV swallowed is noticed before texts are paid for
    items, of_log, met = cleaned.good, "", items_of_log(sources)
    if settings.describe.items_of_log:
        items, of_log = items.join(met, "item_id", "left_semi"), " of the log"
    row = items.agg(F.count("*"), F.count_if("titled")).first()
    assert row is not None  # an aggregate without groups has one row
    total, titled = row
    if not titled:
        raise BadInputError(
            f"table items: none of its {total:,} items{of_log} has a title, by which a model knows an item.",
            "Map title under source.items.columns in conf/, and item_id alike for the log and the catalogue.",
        )
    named, count = items.where("titled"), settings.describe.max_items
    if count is not None:  # 200 of MovieLens-100k's 1,682 films are in 48 % of its events
        often = named.join(met, "item_id", "left").orderBy(F.desc_nulls_last("events"), F.sha2("item_id", 256))
        named = often.limit(count).drop("events")
    return named, total - titled
