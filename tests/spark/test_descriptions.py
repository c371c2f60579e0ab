"""Which of G's texts about an item is the one that is encoded."""

from datetime import UTC, datetime

import pytest

from trackrec.reccots.descriptions import served_descriptions
from trackrec.runtime.settings import SamplingSettings

pytestmark = pytest.mark.spark

NOW = SamplingSettings(max_tokens=9)
BEFORE = SamplingSettings(max_tokens=5)
COLUMNS = (
    "row_key string, item_id string, item_key string, template_version string, generator_version string, "
    "sampling string, status string, text string, created_time timestamp"
)


def written(key, item="i1", about="k1", template="t@1", generator="g@1", sampling=NOW, status="ok", day=1):
    time = datetime(2024, 1, day, tzinfo=UTC)
    return (key, item, about, template, generator, sampling.canonical(), status, f"text of {key}", time)


@pytest.fixture
def served(spark):
    """(item, generator) → text, of the items i1 (its present text is k1) and i2 (k2)."""

    def of(*rows):
        items = spark.createDataFrame(
            [("i1", "k1", ["War"]), ("i2", "k2", None)], "item_id string, item_key string, attributes array<string>"
        )
        kept = served_descriptions(spark.createDataFrame(rows, COLUMNS), items, "t@1", NOW).collect()
        assert {row.item_id: row.attributes for row in kept}.items() <= {"i1": ["War"], "i2": None}.items()
        assert len({(row.item_id, row.generator_version) for row in kept}) == len(kept)
        return {(row.item_id, row.generator_version): row.text.removeprefix("text of ") for row in kept}

    return of


def test_each_generator_has_its_own_description_of_an_item(served):
    assert served(written("a"), written("b", generator="g@2"), written("c", item="i2", about="k2")) == {
        ("i1", "g@1"): "a", ("i1", "g@2"): "b", ("i2", "g@1"): "c",
    }  # fmt: skip


def test_a_description_of_an_earlier_text_or_of_an_item_that_left_the_catalogue_is_not_served(served):
    assert served(written("a", about="k0"), written("b", item="gone")) == {}


def test_a_cut_description_is_served_and_an_empty_one_not(served):
    assert served(written("a", status="cut"), written("b", item="i2", about="k2", status="empty")) == {
        ("i1", "g@1"): "a"
    }


def test_of_several_by_one_generator_the_one_that_the_settings_ask_for_is_served(served):
    assert served(written("a"), written("b", template="t@0", day=3), written("c", sampling=BEFORE, day=2)) == {
        ("i1", "g@1"): "a"
    }


def test_where_the_settings_ask_for_none_of_them_the_newest_is_served(served):
    assert served(written("a", template="t@0", day=2), written("b", template="t@0", sampling=BEFORE, day=1)) == {
        ("i1", "g@1"): "a"
    }
    assert served(written("a", template="t@0", day=1), written("b", template="t@2", day=2)) == {("i1", "g@1"): "b"}
