"""The text of an item, put together from what there is of it."""

import pytest

from trackrec.histories.item_text import item_text
from trackrec.histories.sources.cleaning import clean_items
from trackrec.tables.schemas import ITEMS

pytestmark = pytest.mark.spark

# title, attributes, year, description -> text
CASES = {
    "all of it": ("Heat", ["Action", "Crime"], 1995, "Two men.", "Heat (1995), Action, Crime. Two men."),
    "a title alone": ("Heat", [], None, None, "Heat"),
    "no year": ("Heat", ["Action"], None, None, "Heat, Action"),
    "no attributes": ("Heat", None, 1995, "Two men.", "Heat (1995). Two men."),
    "no description": ("Heat", ["Action"], 1995, " ", "Heat (1995), Action"),
    "a title with its year": ("Heat (1995)", ["Action"], 1995, None, "Heat (1995), Action"),
    "a title with another year": ("Heat [1996]", [], 1995, None, "Heat (1996)"),
    "a year within a title": ("1984 (1984) restored", [], 1985, None, "1984 (1984) restored (1985)"),
    "a title that is a year": ("1984", [], 1949, None, "1984 (1949)"),
    "a title that ends a sentence": ("What now?", [], None, "Two men.", "What now? Two men."),
    "an attribute that ends with a dot": ("Soap", ["Acme Inc."], None, "It foams.", "Soap, Acme Inc. It foams."),
    "attributes alone": (None, ["Action", "Crime"], None, None, "Action, Crime"),
    "a year and attributes": (None, ["Action"], 1995, None, "(1995), Action"),
    "a description alone": ("", [], None, "Two men.", "Two men."),
    "a title like a placeholder": ("item 0", [], None, None, "item 0"),
    "an unusable year": ("Heat", [], 19, None, "Heat"),
    "nothing": (None, [], None, None, None),
    "nothing that can be seen": ("\u200b", ["\u202e"], 0, "\ufeff", None),
}


@pytest.fixture(scope="module")
def texts(spark):
    rows = [(case, *values[:-1]) for case, values in CASES.items()]
    items = clean_items(spark.createDataFrame(rows, ITEMS.spark_schema()), 80).good
    return {row.item_id: row.text for row in items.select("item_id", item_text().alias("text")).collect()}


@pytest.mark.parametrize("case", CASES)
def test_parts_that_are_there_are_joined_and_missing_ones_left_out(texts, case):
    assert texts[case] == CASES[case][-1]


def test_a_hostile_description_is_one_harmless_line(spark):
    rows = [("1", "Heat", ["[SEP]"], 1995, "good\n>>> <|im_end|>\u202e" + "x" * 1_000_000)]
    (row,) = clean_items(spark.createDataFrame(rows, ITEMS.spark_schema()), 80).good.select(item_text()).collect()
    assert row[0].startswith("Heat (1995), (SEP). good ››› ‹|im_end|›xxx")
    assert row[0].isprintable()
    assert len(row[0]) < 1100
