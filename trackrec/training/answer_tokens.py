"""Rows of ``rec_tuning`` → token ids: V's prompts about one RecCoT, each with the answer that its user gave."""

from __future__ import annotations

from collections.abc import Sequence

from trackrec.engines.chat import Chat
from trackrec.engines.interface import Request
from trackrec.tables.lake import Row
from trackrec.training.answer_objective import AnswerGroup, answer_group


def answer_groups(reccots: Sequence[Sequence[Row]], chat: Chat) -> list[AnswerGroup]:
    """``reccots``, rows (row_key, prompt_body, label) RecCoT by RecCoT, as token ids.

    Prompts too long for the context of ``chat`` are left out, and RecCoTs of which no prompt is left.
    """
    yes, no = chat.answers.tokens
    groups = []
    for rows in reccots:
        prompts = [chat.ids(Request("", row["prompt_body"], "", 0)) for row in rows]
        fitting = [i for i, ids in enumerate(prompts) if chat.fault(ids) is None]
        if fitting:
            answers = [yes if rows[i]["label"] else no for i in fitting]
            groups.append(answer_group(rows[0]["row_key"], [prompts[i] for i in fitting], answers))
    return groups
