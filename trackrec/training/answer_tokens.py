"""Rows of ``rec_tuning`` → token ids: V's prompts about one RecCoT, each with the answer that its user gave."""

from __future__ import annotations

from collections.abc import Sequence

from trackrec.engines.answers import probability
from trackrec.engines.chat import Chat
from trackrec.engines.interface import Request
from trackrec.feedback.offset import Offset
from trackrec.tables.lake import Row
from trackrec.training.answer_objective import AnswerGroup, answer_group, offset_group


def answer_groups(
    reccots: Sequence[Sequence[Row]], chat: Chat, offset: Offset | None = None, reader: Offset | None = None
) -> list[AnswerGroup]:
    """``reccots``, rows (row_key, prompt_body, label) RecCoT by RecCoT, as token ids; where V has an offset, with it.

    With one the rows have ``offset.COUNTS``, too, and with a ``reader``, whose probabilities then are to be learned in
    place of the labels, ``offset.NAMED``. Prompts too long for the context of ``chat`` are left out, and
    RecCoTs of which no prompt is left.
    """
    yes, no = chat.answers.tokens
    groups = []
    for rows in reccots:
        prompts = [chat.ids(Request("", row["prompt_body"], "", 0)) for row in rows]
        fitting = [i for i, ids in enumerate(prompts) if chat.fault(ids) is None]
        if not fitting:
            continue
        read, key = [prompts[i] for i in fitting], rows[0]["row_key"]
        if offset is None:
            answers = [yes if rows[i]["label"] else no for i in fitting]
            groups.append(answer_group(key, read, answers))
        else:
            fitted = [rows[i] for i in fitting]
            offsets, labels = [offset.log_odds(row) for row in fitted], [row["label"] for row in fitted]
            targets = [probability(reader.log_odds(row)) for row in fitted] if reader else labels
            groups.append(offset_group(key, read, labels, (yes, no), offsets, targets))
    return groups
