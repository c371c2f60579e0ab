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


def ended(tokenizer, stop: str, prompt: str, pieces: list[str]) -> list[bool]:
    """After each piece written behind the prompt: whether the row is over."""
    ids = tokenizer(prompt, add_special_tokens=False)["input_ids"]
    criterion = WrittenText(StopStringCriteria(tokenizer, [stop]), len(ids))
    over = []
    for piece in pieces:
        ids = ids + tokenizer(piece, add_special_tokens=False)["input_ids"]
        over.append(bool(criterion(torch.tensor([ids]), None)[0]))
    return over


def test_a_stop_string_that_the_prompt_ends_with_or_begins_does_not_end_a_row(tokenizer):
    assert ended(tokenizer, "\n", "The films:\n", ["Heat", ",", "\n"]) == [False, False, True]
    assert ended(tokenizer, "\n\n", "The films:\n", ["\n", "Heat", "\n\n"]) == [False, False, True]


def test_a_stop_string_inside_a_token_or_over_several_ends_a_row(tokenizer):
    assert ended(tokenizer, "top", "The", [" s", "topper"]) == [False, True]
    assert ended(tokenizer, "…", "The", [" end", "…"]) == [False, True]


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
