"""Rec-tuning's objective: the answers about all next events of one RecCoT, with history and RecCoT read once.

The events share everything before the item, so they form one sequence as S-DPO's candidates do (``prefix``): the same
loss and gradients as one sequence an event, on its answer's tokens only.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import Any

from torch import Tensor

from trackrec.runtime.settings import RecTuningSettings
from trackrec.training.group_loop import Objective, Row, form_of, train
from trackrec.training.prefix import Group


@dataclass(frozen=True)
class Asked:
    """What V is asked about one RecCoT, as token ids with what the user did behind it; ``key`` names it in errors."""

    key: str
    group: Group


def asked_of(key: str, prompts: Sequence[Sequence[int]], answers: Sequence[Sequence[int]]) -> Asked:
    """The group of whole prompts and the answer to each: what they have in common at the start is read once."""
    together = takewhile(lambda tokens: len(set(tokens)) == 1, zip(*prompts, strict=False))
    shared = sum(1 for _ in together)
    told = tuple((*prompt[shared:], *answer) for prompt, answer in zip(prompts, answers, strict=True))
    return Asked(key, Group(tuple(prompts[0][:shared]), told, counted=tuple(map(len, answers))))


def tune(
    model: Any, asked: Sequence[Asked], settings: RecTuningSettings, folder: Path, tell: Callable[[str], None] = print
) -> list[Row]:
    """Train ``model`` in place; returns a row a step: loss (nats an answer), … See ``training.train``."""
    form = form_of(model, tell)

    def loss_of(i: int) -> tuple[Tensor, Row]:
        return -form(model, asked[i].group).mean(), {}

    keys, sizes = [f"RecCoT {one.key}" for one in asked], [len(one.group.answers) for one in asked]
    return train(model, Objective("Rec-tuning", keys, sizes, loss_of), settings, folder, tell)
