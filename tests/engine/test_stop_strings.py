"""The transformers engine ends a row at a stop string that the row wrote, and cuts the text before it."""

from dataclasses import replace

import pytest
import torch
from transformers import AutoTokenizer, StopStringCriteria

from tests.engine.asking import texts, write
from trackrec.engines.build import build_engine
from trackrec.engines.transformers import WrittenText
from trackrec.runtime.settings import SamplingSettings

pytestmark = pytest.mark.engine
PROMPTS = ["Count from one to five in words.", "Name three colours."]


@pytest.fixture(scope="module")
def tokenizer(smollm2):
    return AutoTokenizer.from_pretrained(smollm2.path, local_files_only=True)


def written_until_over(tokenizer, stop: str, prompt: str, text: str) -> str | None:
    """The part of ``text``, token by token behind the prompt, after which the row is over."""
    start, tokens = (tokenizer(part, add_special_tokens=False)["input_ids"] for part in (prompt, text))
    criterion = WrittenText(StopStringCriteria(tokenizer, [stop]), len(start))
    for end in range(1, len(tokens) + 1):
        if criterion(torch.tensor([start + tokens[:end]]), None)[0]:
            return tokenizer.decode(tokens[:end])
    return None


@pytest.mark.parametrize(("stop", "text"), [("\n", "Heat, Alien\n"), ("\n\n", "\nHeat, Alien\n\n")])
def test_a_stop_string_that_ends_or_begins_in_the_prompt_does_not_end_a_row(tokenizer, stop, text):
    assert written_until_over(tokenizer, stop, "The films:\n", text) == text


@pytest.mark.parametrize(("stop", "text"), [("ien", "Heat, Alien"), ("t, Al", "Heat, Alien"), ("…", "Heat …")])
def test_a_stop_string_inside_a_token_or_over_several_ends_a_row(tokenizer, stop, text):
    assert written_until_over(tokenizer, stop, "The films: ", text + " and more") == text


def test_a_row_without_a_stop_string_goes_on(tokenizer):
    assert written_until_over(tokenizer, "\n", "The films:\n", "Heat, Alien") is None


def test_each_row_is_cut_before_its_own_first_stop_string(spec):
    plain = SamplingSettings(max_tokens=24, stop=())
    free = build_engine(replace(spec, engine="transformers", sampling=plain))
    unstopped = texts(write(free, PROMPTS, opening=""))
    free.close()
    stops = (unstopped[0][20:24], unstopped[1][10:13])
    engine = build_engine(replace(spec, engine="transformers", sampling=plain.model_copy(update={"stop": stops})))
    together = write(engine, PROMPTS, opening="")
    engine.close()
    expected = [min((text.split(stop)[0] for stop in stops), key=len) for text in unstopped]
    assert texts(together) == expected
    assert [f.completions[0].finish_reason for f in together] == ["stop", "stop"]
