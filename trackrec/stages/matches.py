"""How far a RecCoT speaks for the item that V is asked about, by the attributes that both name."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import pandas as pd
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.pandas.functions import pandas_udf

from trackrec.feedback.holdout_figures import EVENT, Event, event_of
from trackrec.feedback.reader import MATCHES
from trackrec.reccots.mentions import Mentions, mentions_of


def with_matches(rows: DataFrame, items: DataFrame) -> DataFrame:
    """``rows`` (item_id, text, …) with ``reader.MATCHES`` (int): how many of the item's attributes the text names so.

    ``items``: item_id, attributes, of the whole catalogue: a longer name in it is not read as a shorter one. 0 and 0
    without a text, and for an item that is not there.
    """
    named = items.select(F.explode("attributes").alias("name")).distinct().collect()
    catalogue = frozenset(row["name"] for row in named)
    attributes = items.select("item_id", F.col("attributes").alias("_attributes"))
    joined = rows.join(attributes, "item_id", "left").withColumn("_matched", _matched(catalogue)("text", "_attributes"))
    return joined.select(*rows.columns, "_matched.*")


def _matched(catalogue: frozenset[str]) -> Callable[[str, str], Column]:
    def matched(texts: pd.Series, attributes: pd.Series) -> pd.DataFrame:
        mentions = {text: mentions_of(text, catalogue) for text in texts.dropna().unique()}
        pairs = zip(texts, attributes, strict=True)
        found = [_match(mentions.get(text), of_item) for text, of_item in pairs]
        return pd.DataFrame(found, columns=list(MATCHES))

    schema = ", ".join(f"{name} int" for name in MATCHES)
    udf: Callable[[str, str], Column] = pandas_udf(matched, schema)  # type: ignore[call-overload]  # not of structs
    return udf


def _match(mentions: Mentions | None, attributes: Iterable[str] | None) -> tuple[int, int]:
    return (0, 0) if mentions is None or attributes is None else mentions.match(attributes)


def matches_of(by_variant: Mapping[str, DataFrame], items: DataFrame) -> dict[str, dict[Event, float]]:
    """Variant → event → attributes of its item that the RecCoT names as liked, less those that it names as avoided.

    ``by_variant``: as from ``holdout_questions.variants``; ``items``: as for ``with_matches``.
    """
    found = {}
    for name, rows in by_variant.items():
        matched = with_matches(rows.select(*EVENT, "text"), items).collect()
        found[name] = {event_of(row.asDict()): float(row[MATCHES[0]] - row[MATCHES[1]]) for row in matched}
    return found
