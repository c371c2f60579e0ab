"""Rows of ``preferences`` → token ids: a history's prompt, and behind it the chosen RecCoT and the rejected ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from trackrec.engines.chat import Chat
from trackrec.engines.interface import Request
from trackrec.engines.spec import EngineSpec
from trackrec.tables.lake import Row
from trackrec.training.prefix import Group
from trackrec.training.sdpo_objective import Preference


def preference_groups(
    rows: Sequence[Row], prompt_bodies: Mapping[str, str], chat: Chat, spec: EngineSpec
) -> list[Preference]:
    """``rows`` (prompt_key, chosen, rejected) as token ids, in their order, without histories beyond the context.

    ``prompt_bodies``: of each prompt_key; ``spec``: the generator's, with its opening and max_model_len. A candidate's
    tokens are those behind the prompt and the opening; the end token is among them where G stopped by itself, so that G
    learns to stop.
    """
    end = chat.tokenizer.eos_token_id
    groups = []
    for row in rows:
        prompt = chat.ids(Request("", prompt_bodies[row["prompt_key"]], spec.opening, 0))
        answers = []
        for candidate in (row["chosen"], *row["rejected"]):
            text = candidate["text"].removeprefix(spec.opening)
            ids = chat.tokenizer(text, add_special_tokens=False)["input_ids"]
            answers.append((*ids, end) if candidate["ended"] else tuple(ids))
        if len(prompt) + max(map(len, answers)) <= spec.max_model_len:
            groups.append(Preference(row["prompt_key"], Group(tuple(prompt), tuple(answers))))
    return groups
