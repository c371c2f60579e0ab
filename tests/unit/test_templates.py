"""The words of the prompts, where no Spark is."""

import re
import subprocess
import sys

import pytest

from trackrec.histories.templates import NAMES, template_of
from trackrec.runtime.errors import BadInputError
from trackrec.runtime.settings import HistorySettings, PromptSettings
from trackrec.training.teachers.statistics import History, Tally, reccot

WITHOUT_SPARK = """
import sys
sys.modules["pyspark"] = None
import trackrec.feedback.templates, trackrec.histories.templates, trackrec.histories.text, trackrec.reccots.sentences
import trackrec.histories.sources.csv_options
"""


def test_words_texts_and_sentences_need_no_spark():
    subprocess.run([sys.executable, "-c", WITHOUT_SPARK], check=True)


def template(name, item_noun="films", attribute_noun="genres"):
    return template_of(
        PromptSettings(template=name, item_noun=item_noun, attribute_noun=attribute_noun), HistorySettings()
    )


def test_an_unknown_template_is_bad_input_that_names_the_known_ones():
    with pytest.raises(BadInputError, match=r"unknown prompt\.template other.*preference_v1, .*contrast_v1"):
        template("other")


def test_preference_v1_has_the_versions_that_stored_rows_name():
    assert template("preference_v1").version == "preference_v1@47c9add1db91"
    assert template("preference_v1", "items", "attributes").version == "preference_v1@c15c33ad75e8"


def test_every_template_has_a_version_of_its_own():
    assert len({template(name).version for name in NAMES}) == len(NAMES) > 3


@pytest.mark.parametrize("name", NAMES)
def test_a_template_speaks_of_a_shop_s_products_in_the_shop_s_words(name):
    question = template(name, "tools", "categories").question_text
    assert "tools" in question
    assert not re.search(r"film|movie|genre|director|[{}]", question, re.IGNORECASE)


@pytest.mark.parametrize("name", NAMES)
def test_no_template_closes_the_fence_or_speaks_for_the_model(name):
    words = template(name)
    assert "<" not in words.question_text
    assert ">" not in words.question_text
    assert words.opening
    assert words.opening == words.opening.strip()


@pytest.mark.parametrize("name", NAMES)
def test_the_statistics_teacher_answers_every_template_with_its_opening(name):
    shown = History(["Fargo"], ["Babe"], [Tally("Crime", 9, 1), Tally("Comedy", 1, 6)], 30, 60)
    words = template(name)
    text = reccot(shown, words.opening, words.item_noun, 0)
    assert text.startswith(f"{words.opening} Crime (9 liked, 1 not)")
