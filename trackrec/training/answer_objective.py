"""Rec-tuning's objective: the answers about all next events of one RecCoT, with history and RecCoT read once.

The events share everything before the item, so they form one sequence as S-DPO's candidates do (``prefix``): the same
loss and gradients as one sequence an event, on its answer's tokens only. With an offset V is a logistic regression
whose log-odds are those of the LLM's two answers plus the offset; without one it learns the answer's tokens.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from trackrec.runtime.events import Stage
from trackrec.runtime.settings import RecTuningSettings
from trackrec.training.group_loop import Figures, LogpsFunction, Objective, logps_function, train
from trackrec.training.prefix import Group, shared_logits, shared_logps

_BASE_GROUPS = 64  # RecCoTs whose events give the untuned LLM's mean log-odds: its standard error is a few hundredths


@dataclass(frozen=True)
class AnswerGroup:
    """V's prompts about one RecCoT as token ids, each with what the user did behind it; ``key`` names it in errors.

    ``others``: the same prompts with the other answer; ``liked``: whether the user's answer is the first one (yes);
    ``offsets``: what is added to the log-odds of yes, nats; ``targets``: P(yes) that is to be learned, 0 or 1 where it
    is the user's answer. All four are empty where V has no offset.
    """

    key: str
    group: Group
    others: Group | None = None
    liked: tuple[bool, ...] = ()
    offsets: tuple[float, ...] = ()
    targets: tuple[float, ...] = ()


def answer_group(key: str, prompts: Sequence[Sequence[int]], answers: Sequence[Sequence[int]]) -> AnswerGroup:
    """The group of full prompts and the answer to each: what they have in common at the start is read once."""
    return AnswerGroup(key, _group(prompts, answers))


def offset_group(
    key: str,
    prompts: Sequence[Sequence[int]],
    labels: Sequence[int],
    tokens: tuple[Sequence[int], Sequence[int]],
    offsets: Sequence[float],
    targets: Sequence[float] | None = None,
) -> AnswerGroup:
    """As ``answer_group``, of prompts with an offset each; ``tokens`` are those of yes and of no; None: the labels."""
    liked = tuple(bool(label) for label in labels)
    right, wrong = ([tokens[yes == other] for yes in liked] for other in (False, True))
    learned = tuple(map(float, labels if targets is None else targets))
    return AnswerGroup(key, _group(prompts, right), _group(prompts, wrong), liked, tuple(offsets), learned)


def train_answers(
    model: Any,
    groups: Sequence[AnswerGroup],
    settings: RecTuningSettings,
    folder: Path,
    stage: Stage,
    base: float = 0.0,
) -> list[Figures]:
    """Train ``model`` in place; returns a row a step: loss (nats an answer), … See ``group_loop.train``.

    ``base``: see ``base_log_odds``; read where the groups have offsets.
    """
    logps = logps_function(model, stage)

    def loss_of(i: int) -> tuple[Tensor, Figures]:
        group = groups[i]
        if group.others is None:
            return -logps(model, group.group).mean(), {}
        towards = log_odds(model, group, logps) + _offsets(group).to(model.device) - base
        return binary_cross_entropy_with_logits(towards, torch.tensor(group.targets).to(model.device)), {}

    keys, sizes = [f"RecCoT {group.key}" for group in groups], [len(group.group.answers) for group in groups]
    return train(model, Objective("Rec-tuning", keys, sizes, loss_of), settings, folder, stage)


@torch.no_grad()
def base_log_odds(model: Any, groups: Sequence[AnswerGroup], stage: Stage) -> float:
    """Mean log-odds (nats) of yes over the events of the first RecCoTs, of a ``model`` that is not tuned yet.

    An LLM leans to one answer whatever it is asked. Counted from its mean, V begins where the offset alone stands.
    """
    logps = logps_function(model, stage)
    return float(torch.cat([log_odds(model, group, logps) for group in groups[:_BASE_GROUPS]]).mean())


def log_odds(model: Any, group: AnswerGroup, logps: LogpsFunction) -> Tensor:
    """log P(yes) − log P(no) of the LLM behind each prompt, [events] in float32; ``group`` has offsets."""
    assert group.others is not None
    if logps is shared_logps and set(group.group.counts) | set(group.others.counts) == {1}:
        # Both answers are one token at the same position: one pass has both, and what normalises them cancels.
        logits = shared_logits(model, group.group).float()
        right, wrong = (_last_tokens(g).to(logits.device) for g in (group.group, group.others))
        ahead = logits.gather(1, right[:, None]) - logits.gather(1, wrong[:, None])
        return ahead[:, 0] * _signs(group).to(logits.device)
    return (logps(model, group.group) - logps(model, group.others)) * _signs(group).to(model.device)


def _group(prompts: Sequence[Sequence[int]], answers: Sequence[Sequence[int]]) -> Group:
    common = takewhile(lambda tokens: len(set(tokens)) == 1, zip(*prompts, strict=False))
    shared = sum(1 for _ in common)
    continuations = tuple((*prompt[shared:], *answer) for prompt, answer in zip(prompts, answers, strict=True))
    return Group(tuple(prompts[0][:shared]), continuations, counted=tuple(map(len, answers)))


def _signs(group: AnswerGroup) -> Tensor:
    return torch.tensor([1.0 if yes else -1.0 for yes in group.liked])


def _offsets(group: AnswerGroup) -> Tensor:
    return torch.tensor(group.offsets)


def _last_tokens(group: Group) -> Tensor:
    return torch.tensor([answer[-1] for answer in group.answers])
