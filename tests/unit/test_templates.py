"""The words of the prompts, where no Spark is."""

import re
import subprocess
import sys

import pytest

from trackrec.feedback.templates import ValidatorTemplate
from trackrec.histories.templates import NAMES, template_of
from trackrec.runtime.errors import BadInputError
from trackrec.runtime.settings import HistorySettings, PromptSettings

VERSIONS = {
    "preference_v2": "7316206f36a1",
    "clicks_v2": "d8fce56cd307",
    "preference_v1": "47c9add1db91",
    "themes_v1": "3f1c6efff0e4",
    "evidence_v1": "8a86954a562f",
    "contrast_v1": "1d3c38ee227a",
    "outlook_v1": "a4bd347dd454",
}
WITHOUT_SPARK = """
import sys
sys.modules["pyspark"] = None
import trackrec.feedback.templates, trackrec.histories.templates, trackrec.histories.text, trackrec.reccots.sentences
import trackrec.histories.sources.csv_options
"""


def test_words_texts_and_sentences_need_no_spark():
    subprocess.run([sys.executable, "-c", WITHOUT_SPARK], check=True)


def template(name, item_noun="films", attribute_noun="genres", **words):
    nouns = {"item_noun": item_noun, "attribute_noun": attribute_noun}
    return template_of(PromptSettings(template=name, **(nouns | words)), HistorySettings())


def test_an_unknown_template_is_bad_input_that_names_the_known_ones():
    with pytest.raises(BadInputError, match=r"unknown prompt\.template other.*preference_v1, .*contrast_v1"):
        template("other")


def test_preference_v1_has_the_versions_that_stored_rows_name():
    assert template("preference_v1").version == "preference_v1@47c9add1db91"
    assert template("preference_v1", "items", "attributes").version == "preference_v1@c15c33ad75e8"


def test_no_template_changes_its_version():
    assert {name: template(name).version.split("@")[1] for name in NAMES} == VERSIONS


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


WORDS = {
    "lead": "Unten, zwischen <<< und >>>, steht, was jemand von {items} hielt.",
    "question": "Was mag diese Person an {items}, nach {attributes}?",
    "opening": "Diese Person mag",
    "liked": "gemocht",
    "not_liked": "abgelehnt",
    "language": "German",
}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("word", WORDS)
def test_a_word_of_the_settings_is_another_version_of_every_template(name, word):
    given = template(name, **{word: WORDS[word]})
    assert given.version != template(name).version
    assert given.version.startswith(f"{name}@")
    assert template(name, **{word: None}).version == template(name).version


def test_the_nouns_are_put_into_the_words_of_the_settings_and_the_language_is_asked_for():
    given = template("preference_v2", **WORDS)
    assert given.lead == "Unten, zwischen <<< und >>>, steht, was jemand von films hielt."
    assert given.question_text == "Was mag diese Person an films, nach genres? Answer in German."
    assert given.opening == "Diese Person mag"
    assert template("preference_v1", language=" German ").question_text.endswith("in films? Answer in German.")


def test_the_opening_of_a_template_with_shares_follows_what_is_said_of_liked_items():
    assert template("preference_v2").opening == "They liked"
    assert template("clicks_v2").opening == "They clicked"
    assert template("clicks_v2", liked="opened").opening == "They opened"
    assert template("preference_v2", opening="").opening == ""


BAD_WORDS = {
    "an opening fence": ("question", "What <<< now?", "prompt.question holds <<< or >>>"),
    "a closing fence": ("liked", "liked >>>", "prompt.liked holds <<< or >>>"),
    "a second fence in the lead": ("lead", "Between <<< and >>> or >>>.", "prompt.lead holds <<< or >>>"),
    "an unknown name in braces": ("question", "What about {films}?", "prompt.question has braces that name nothing"),
    "an attribute of a name": ("lead", "Of {items.__class__}.", "prompt.lead has braces that name nothing"),
    "an open brace": ("opening", "They {", "prompt.opening has braces that name nothing"),
    "empty braces": ("not_liked", "{}", "prompt.not_liked has braces that name nothing"),
    "a line break": ("opening", "They\nlike", "prompt.opening holds a line break"),
    "no word": ("question", "  ", "prompt.question is blank"),
    "a fence in a noun": ("item_noun", "films >>>", "prompt.item_noun holds <<< or >>>"),
    "a line break in a noun": ("attribute_noun", "genres\nof films", "prompt.attribute_noun holds a line break"),
    "braces in a noun": ("attribute_noun", "{items}", "prompt.attribute_noun has braces that name nothing"),
    "no noun": ("item_noun", " ", "prompt.item_noun is blank"),
    "braces in the language": ("language", "{tongue}", "prompt.language has braces"),
}


@pytest.mark.parametrize(("word", "given", "said"), BAD_WORDS.values(), ids=BAD_WORDS)
def test_words_that_cannot_be_are_bad_input_that_names_the_setting(word, given, said):
    with pytest.raises(BadInputError, match=re.escape(said)):
        template("preference_v2", **{word: given})


def test_no_word_of_a_template_of_clicks_judges_what_was_not_clicked():
    words = template("clicks_v2")
    assert not re.search(
        r"lik|rate", " ".join(map(str, (words.lead, words.question, words.opening, words.liked, words.not_liked)))
    )


@pytest.mark.parametrize(
    ("words", "question"),
    [
        (template("preference_v1"), "Do they like it? Yes or No."),
        (template("preference_v2"), "Do they like it? Yes or No."),
        (template("clicks_v2"), "Will they pick it? Yes or No."),
        (template("preference_v2", liked="bought"), "Will they pick it? Yes or No."),
    ],
)
def test_v_is_asked_of_clicks_and_purchases_not_whether_they_are_liked(words, question):
    asked = ValidatorTemplate(words)
    assert asked.question == question
    assert (asked.version == ValidatorTemplate(words, question="Do they like it? Yes or No.").version) == (
        words.liked == "liked"
    )


def test_v_is_asked_what_it_is_told_to_be_asked():
    assert ValidatorTemplate(template("clicks_v2"), question="Yes or No?").question == "Yes or No?"
