"""The words of the prompts, where no Spark is."""

import subprocess
import sys

import pytest

from trackrec.histories.templates import template_of
from trackrec.runtime.errors import BadInputError
from trackrec.runtime.settings import HistorySettings, PromptSettings

WITHOUT_SPARK = """
import sys
sys.modules["pyspark"] = None
import trackrec.feedback.templates, trackrec.histories.templates, trackrec.histories.text, trackrec.reccots.sentences
import trackrec.histories.sources.csv_options
"""


def test_words_texts_and_sentences_need_no_spark():
    subprocess.run([sys.executable, "-c", WITHOUT_SPARK], check=True)


def test_an_unknown_template_is_bad_input():
    with pytest.raises(BadInputError, match=r"unknown prompt\.template other.*preference_v1"):
        template_of(PromptSettings(template="other", item_noun="films", attribute_noun="genres"), HistorySettings())
