"""The words in which G is asked about an item, where no Spark is."""

import subprocess
import sys

import pytest

from trackrec.histories.item_templates import item_template_of
from trackrec.reccots.sentences import served_text
from trackrec.runtime.errors import BadInputError
from trackrec.runtime.settings import DescribeSettings, PromptSettings

FILMS = PromptSettings(item_noun="films", attribute_noun="genres")
WITHOUT_SPARK = 'import sys; sys.modules["pyspark"] = None; import trackrec.histories.item_templates'


def test_the_words_need_no_spark():
    subprocess.run([sys.executable, "-c", WITHOUT_SPARK], check=True)


def test_an_unknown_template_is_bad_input_that_names_the_known_ones():
    with pytest.raises(BadInputError, match=r"unknown describe\.template other.*description_v1"):
        item_template_of(FILMS, DescribeSettings(template="other"))


def test_other_nouns_are_another_version():
    films, tools = item_template_of(FILMS, DescribeSettings()), item_template_of(PromptSettings(), DescribeSettings())
    assert films.version.startswith("description_v1@")
    assert films.version != tools.version


def test_how_long_and_which_items_are_described_is_no_part_of_the_words():
    settings = DescribeSettings(max_tokens=10, max_items=3, items_of_log=False)
    assert item_template_of(FILMS, settings) == item_template_of(FILMS, DescribeSettings())


def test_an_answer_that_is_no_more_than_the_opening_is_empty():
    opening = item_template_of(FILMS, DescribeSettings()).opening
    assert served_text(f"{opening} ", opening, "stop") == ("empty", "")
