"""A teacher's texts → token ids: the prompt of a history, and behind it the RecCoT that the teacher wrote."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from trackrec.engines.chat import Chat
from trackrec.engines.interface import Request
from trackrec.training.sft import Example


def teacher_examples(
    histories: Sequence[Mapping[str, Any]], texts: Mapping[str, str], chat: Chat, opening: str
) -> list[Example]:
    """An example for each of ``histories`` (prompt_key, prompt_body) with its text out of ``texts`` (by prompt_key).

    The opening belongs to the prompt, as in generation; the end token is learned behind every text.
    """
    end = chat.tokenizer.eos_token_id
    examples = []
    for row in histories:
        prompt = chat.ids(Request("", row["prompt_body"], opening, 0))
        text = texts[row["prompt_key"]].removeprefix(opening)
        answer = chat.tokenizer(text, add_special_tokens=False)["input_ids"]
        examples.append(Example(tuple(prompt), (*answer, end)))
    return examples
