"""Rec-tuning's objective: the answers about all next events of one RecCoT, with history and RecCoT read once.

The events share everything before the item, so they form one sequence as S-DPO's candidates do (``prefix``): the same
loss and gradients as one sequence an event, on its answer's tokens only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import Any

from torch import Tensor

from trackrec.runtime.events import Stage
from trackrec.runtime.settings import RecTuningSettings
from trackrec.training.group_loop import Figures, Objective, logps_function, train
from trackrec.training.prefix import Group


@dataclass(frozen=True)
class AnswerGroup:
    """V's prompts about one RecCoT as token ids, each with what the user did behind it; ``key`` names it in errors."""

    key: str
    group: Group


def answer_group(key: str, prompts: Sequence[Sequence[int]], answers: Sequence[Sequence[int]]) -> AnswerGroup:
    """The group of full prompts and the answer to each: what they have in common at the start is read once."""
    common = takewhile(lambda tokens: len(set(tokens)) == 1, zip(*prompts, strict=False))
    shared = sum(1 for _ in common)
    continuations = tuple((*prompt[shared:], *answer) for prompt, answer in zip(prompts, answers, strict=True))
    return AnswerGroup(key, Group(tuple(prompts[0][:shared]), continuations, counted=tuple(map(len, answers))))


def train_answers(
    model: Any, groups: Sequence[AnswerGroup], settings: RecTuningSettings, folder: Path, stage: Stage
) -> list[Figures]:
    """Train ``model`` in place; returns a row a step: loss (nats an answer), … See ``group_loop.train``."""
    logps = logps_function(model, stage)

    def loss_of(i: int) -> tuple[Tensor, Figures]:
        return -logps(model, groups[i].group).mean(), {}

    keys, sizes = [f"RecCoT {group.key}" for group in groups], [len(group.group.answers) for group in groups]
    return train(model, Objective("Rec-tuning", keys, sizes, loss_of), settings, folder, stage)
