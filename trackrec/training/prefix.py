"""Log-probabilities of several answers to one prompt in one forward pass: the prompt is read once, not once an answer.

Candidates of one history are such answers, and so are one RecCoT's next events with what the user did. Prompt and
answers form one sequence, in which each answer sees the prompt and itself (``shared_attention``), and positions start
anew after the prompt. Same values and gradients as one sequence an answer, with P + ΣL instead of Σ(P + L) tokens.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from trackrec.models import shared_attention


@dataclass(frozen=True)
class Group:
    """Token ids of a common prompt and of the answers behind it.

    ``counted``: how many tokens at the end of each answer have their log-probability taken; empty: all of them.
    """

    prompt: tuple[int, ...]
    answers: tuple[tuple[int, ...], ...]
    counted: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if not self.prompt or not self.answers or not all(self.answers):
            raise ValueError("a group needs a prompt and answers of at least one token each")
        if self.counted and not all(0 < n <= len(a) for n, a in zip(self.counted, self.answers, strict=True)):
            raise ValueError("at least one token of each answer is counted, and no more than it has")

    @property
    def tokens(self) -> int:
        """Tokens of the shared sequence."""
        return len(self.prompt) + sum(map(len, self.answers))

    @property
    def counts(self) -> tuple[int, ...]:
        """``counted``, or the length of each answer."""
        return self.counted or tuple(map(len, self.answers))


def shared_logps(model: Any, group: Group) -> Tensor:
    """Summed log-probability of each answer's counted tokens, [answers] in float32, from one pass over ``group``."""
    logits = shared_logits(model, group)
    targets = [token for answer, count in _answers(group) for token in answer[-count:]]
    per_token = _token_logps(logits, torch.tensor(targets, device=logits.device))
    return torch.stack([part.sum() for part in torch.split(per_token, list(group.counts))])


def shared_logits(model: Any, group: Group) -> Tensor:
    """Logits that predict the counted tokens of each answer in turn, [counted tokens, vocabulary], from one pass.

    ``model``: a causal LM of transformers whose ``forward`` takes ``logits_to_keep`` as positions; no other logits are
    computed. Raises ValueError where ``shared_attention.enable`` was not called with it, or could not.
    """
    if not shared_attention.enabled(model):
        raise ValueError(f"attention {model.config._attn_implementation!r} is not shared; use separate_logps")
    device, prompt = model.device, len(group.prompt)
    lengths = [len(answer) for answer in group.answers]
    ids = torch.tensor([[*group.prompt, *(token for answer in group.answers for token in answer)]], device=device)
    logits: Tensor = model(
        input_ids=ids,
        position_ids=_positions(prompt, lengths).to(device),
        logits_to_keep=_predicting(group).to(device),
        use_cache=False,
        families=shared_attention.of_prompt(prompt, lengths),
    ).logits[0]
    return logits


def separate_logps(model: Any, group: Group) -> Tensor:
    """The same as ``shared_logps`` by one right-padded sequence an answer: the reference, and the fallback."""
    prompt, longest = len(group.prompt), max(map(len, group.answers))
    ids = torch.zeros(len(group.answers), prompt + longest, dtype=torch.long)
    present, counted = torch.zeros_like(ids), torch.zeros_like(ids)
    for row, (answer, count) in enumerate(_answers(group)):
        sequence = torch.tensor([*group.prompt, *answer])
        ids[row, : len(sequence)], present[row, : len(sequence)] = sequence, 1
        counted[row, len(sequence) - count : len(sequence)] = 1
    ids, present, counted = (part.to(model.device) for part in (ids, present, counted))
    kept = torch.arange(prompt - 1, prompt + longest - 1, device=model.device)
    logits = model(input_ids=ids, attention_mask=present, logits_to_keep=kept, use_cache=False).logits
    per_token = _token_logps(logits.flatten(0, 1), ids[:, prompt:].flatten()).view(len(group.answers), longest)
    return (per_token * counted[:, prompt:]).sum(dim=1)


def _answers(group: Group) -> Iterator[tuple[tuple[int, ...], int]]:
    return zip(group.answers, group.counts, strict=True)


def _predicting(group: Group) -> Tensor:
    """For each counted token in turn, the position in the shared sequence whose logits predict it."""
    places: list[int] = []
    start = len(group.prompt)
    for answer, count in _answers(group):
        before = [len(group.prompt) - 1, *range(start, start + len(answer) - 1)]
        places += before[-count:]
        start += len(answer)
    return torch.tensor(places)


def _positions(prompt: int, lengths: Sequence[int]) -> Tensor:
    """[1, tokens]: every answer goes on where the prompt ends."""
    return torch.cat([torch.arange(prompt), *(torch.arange(prompt, prompt + length) for length in lengths)])[None]


def _token_logps(logits: Tensor, targets: Tensor) -> Tensor:
    """Log-probability of each target under its row of logits, in float32 at least: bf16 has three digits."""
    logits = logits if logits.dtype == torch.float64 else logits.float()
    return -torch.nn.functional.cross_entropy(logits, targets, reduction="none")
