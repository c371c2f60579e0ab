"""What histories says of the catalogue that it read."""

import pytest

from trackrec.histories.sources.cleaning import clean_items
from trackrec.histories.sources.profile import ItemProfile, item_profile
from trackrec.tables.schemas import ITEMS

pytestmark = pytest.mark.spark


def profile(spark, *rows):
    rows = [(*row, *[None] * (len(ITEMS.columns) - len(row))) for row in rows]
    items = clean_items(spark.createDataFrame(rows, ITEMS.spark_schema()), 80)
    return item_profile(items.good, items.count())


def test_distinct_attributes_are_counted_and_the_two_most_frequent_shown(spark):
    assert profile(
        spark, ("1", "a", ["Kaffee", "Bad"]), ("2", "b", ["Küche", "Kaffee"]), ("3", "c", ["Küche", "Küche", "Arm"])
    ) == ItemProfile(items=3, attributes=4, examples=("Kaffee", "Küche"), untitled=0)


def test_equally_frequent_attributes_are_shown_in_alphabetical_order(spark):
    assert profile(spark, ("1", "a", ["c", "b", "a"])).examples == ("a", "b")


def test_items_without_a_title_are_counted_and_an_item_titled_like_one_is_not(spark):
    assert profile(spark, ("1", None, ["x"]), ("2", "", []), ("3", "item 3", [])).untitled == 2


def test_items_without_attributes_have_no_examples(spark):
    assert profile(spark, ("1", "a", []), ("2", "b", None)) == ItemProfile(2, 0, (), 0)


def test_years_and_descriptions_are_counted_where_there_are_some(spark):
    found = profile(spark, ("1", "a", [], 1995, "text"), ("2", "b", [], 1996), ("3", "c", [], 7))
    assert (found.years, found.unusable_years, found.descriptions) == (2, 1, 1)
    assert found.line() == ("items 3 · 0 attributes · 0 without title · 2 with year, 1 unusable · 1 with description")


def test_a_catalogue_without_items_has_nothing(spark):
    assert profile(spark) == ItemProfile(0, 0, (), 0)


def test_the_profile_is_one_line():
    assert ItemProfile(600, 27, ("Küche", "Kaffee"), 0).line() == (
        "items 600 · 27 attributes, e.g. Küche, Kaffee · 0 without title"
    )
    assert ItemProfile(12_000, 0, (), 3).line() == "items 12,000 · 0 attributes · 3 without title"
