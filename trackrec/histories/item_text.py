"""What an item says of itself, in one line for the encoder: ``title (year), attribute, attribute. description``."""

from __future__ import annotations

from pyspark.sql import Column
from pyspark.sql import functions as F

_ENDS_WITH_YEAR = r"\(\d{4}\)$"
_ENDS_A_SENTENCE = r"[.!?…]$"


def item_text() -> Column:
    """The text of an item, from columns title, titled, year, attributes, description; NULL where it has none of these.

    The columns are those of ``clean_items``: what is not ``titled`` has a placeholder there, which is no text. Parts
    that are missing are left out; a title that ends with a year in brackets gets no second one.
    """
    title = F.when(F.col("titled"), F.col("title"))
    ends_with_year = F.coalesce(title.rlike(_ENDS_WITH_YEAR), F.lit(False))
    year = F.when(~ends_with_year, F.concat(F.lit("("), F.col("year").cast("string"), F.lit(")")))
    named = F.concat_ws(" ", title, year)
    facts = F.array_join(F.filter(F.concat(F.array(named), F.col("attributes")), lambda part: part != ""), ", ")
    separator = F.when(facts == "", "").when(facts.rlike(_ENDS_A_SENTENCE), " ").otherwise(". ")
    described = F.concat(facts, F.coalesce(F.concat(separator, F.col("description")), F.lit("")))
    return F.nullif(described, F.lit(""))
