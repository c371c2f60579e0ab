"""What a RecCoT says of the attributes of the item that V is asked about."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import reduce

import pandas as pd
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.pandas.functions import pandas_udf

from trackrec.feedback.holdout_figures import EVENT, Event, event_of
from trackrec.feedback.offset import NAMED
from trackrec.reccots.mentions import AttributeNames, Mentions


def with_named(rows: DataFrame, items: DataFrame) -> DataFrame:
    """``rows`` (item_id, text, …) with ``offset.NAMED`` (int): how many of the item's attributes the text names so.

    ``items``: item_id, attributes, of the whole catalogue: a longer name in it is not read as a shorter one. 0 and 0
    for an item that is not there, NULL without a text.
    """
    names = items.select(F.explode("attributes").alias("name")).distinct().collect()
    catalogue = AttributeNames(row["name"] for row in names)
    attributes = items.select("item_id", F.col("attributes").alias("_attributes"))
    joined = rows.join(attributes, "item_id", "left").withColumn("_named", _named(catalogue)("text", "_attributes"))
    return joined.select(*rows.columns, "_named.*")


def support_of(by_variant: Mapping[str, DataFrame], items: DataFrame) -> dict[str, dict[Event, float]]:
    """Variant → event → attributes of its item that the RecCoT names as liked, less those that it names as avoided.

    ``by_variant``: as from ``holdout_questions.variants``; ``items``: as for ``with_named``.
    """
    parts = [rows.select(*EVENT, "text", F.lit(name).alias("variant")) for name, rows in by_variant.items()]
    found: dict[str, dict[Event, float]] = {name: {} for name in by_variant}
    for row in with_named(reduce(DataFrame.unionByName, parts), items).collect():
        liked, avoided = (row[name] or 0 for name in NAMED)
        found[row["variant"]][event_of(row.asDict())] = float(liked - avoided)
    return found


def _named(catalogue: AttributeNames) -> Callable[[str, str], Column]:
    def named(texts: pd.Series, attributes: pd.Series) -> pd.DataFrame:
        mentions = {text: catalogue.mentions(text) for text in texts.dropna().unique()}
        pairs = zip(texts, attributes, strict=True)
        found = [_of_item(mentions.get(text), of_item) for text, of_item in pairs]
        return pd.DataFrame(found, columns=list(NAMED), dtype="Int32")

    schema = ", ".join(f"{name} int" for name in NAMED)
    udf: Callable[[str, str], Column] = pandas_udf(named, schema)  # type: ignore[call-overload]  # not of structs
    return udf


def _of_item(mentions: Mentions | None, attributes: Iterable[str] | None) -> tuple[int | None, int | None]:
    if mentions is None:
        return None, None
    return (0, 0) if attributes is None else mentions.of_item(attributes)
