"""Attention over a prefix and what goes on from it in several ways, none of which sees another; as fast as true sizes.

A prompt and the answers behind it are such a tree of one level, a history with its RecCoTs and their items one of two.
A block mask over the whole sequence would do the same, but pays for every pair of tokens, seen or not: with a prompt of
300 and ten answers of 100 tokens 1.7 million pairs a head, of which 0.4 million are seen.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import pad, scaled_dot_product_attention

NAME = "trackrec_shared"  # as transformers' attention implementation
# What a model may do to its attention besides scaling, by the names of transformers' configurations: not done here.
_NOT_PLAIN = ("sliding_window", "attn_logit_softcapping", "attention_chunk_size")


@dataclass(frozen=True)
class Family:
    """Parts of one sequence of tokens that go on from the same prefix and do not see each other.

    ``prefix``: where what all of them see stands, as (start, end) in order; ``start``: where the first of them begins;
    ``lengths``: tokens of each in turn, which stand one behind the other.
    """

    prefix: tuple[tuple[int, int], ...]
    start: int
    lengths: tuple[int, ...]


def of_prompt(prompt: int, lengths: Sequence[int]) -> tuple[Family, ...]:
    """A prompt of so many tokens and the answers behind it."""
    return Family((), 0, (prompt,)), Family(((0, prompt),), prompt, tuple(lengths))


def enable(model: Any) -> bool:
    """Let ``model``, a causal LM of transformers, attend this way; False where its attention is of another kind."""
    from transformers import AttentionInterface

    if not can_attend(model):
        return False
    AttentionInterface.register(NAME, attention)
    model.set_attn_implementation(NAME)
    return True


def enabled(model: Any) -> bool:
    """Whether ``enable`` was called and could."""
    return getattr(model.config, "_attn_implementation", None) == NAME


def can_attend(model: Any) -> bool:
    """Whether the model's attention is a plain causal one that transformers lets others compute."""
    plain = not any(getattr(model.config, name, None) for name in _NOT_PLAIN)
    return plain and bool(getattr(model, "_supports_attention_backend", False))


def attention(
    module: Any,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None = None,
    *,
    scaling: float | None = None,
    dropout: float = 0.0,
    families: Sequence[Family] | None = None,
    **_: Any,
) -> tuple[Tensor, None]:
    """[1, tokens, heads, dim] from ``query`` [1, heads, tokens, dim], ``key`` and ``value`` [1, kv heads, tokens, dim].

    ``families``: all tokens in order. Without them: causal attention over rows that are padded on the right, if at
    all, as what stands behind a token is not seen. Transformers' interface decides the arguments.
    """
    if attention_mask is not None or dropout:
        raise ValueError("shared attention takes neither a mask nor dropout")
    each = query.shape[1] // key.shape[1]
    key, value = key.repeat_interleave(each, dim=1), value.repeat_interleave(each, dim=1)
    if families is None:
        return _attend(query, key, value, None, scaling).transpose(1, 2).contiguous(), None
    parts = [part for family in families for part in _attended(query, key, value, family, scaling)]
    return torch.cat(parts, dim=1).transpose(0, 1)[None].contiguous(), None


def _attended(query: Tensor, key: Tensor, value: Tensor, family: Family, scaling: float | None) -> list[Tensor]:
    """[heads, tokens, dim] of each member of a family."""
    lengths = family.lengths
    own = slice(family.start, family.start + sum(lengths))
    if not family.prefix and len(lengths) == 1:
        queries, keys, values = (part[:, :, own] for part in (query, key, value))
        return [_attend(queries, keys, values, None, scaling)[0]]
    queries, keys, values = (_rows(part[0, :, own], lengths) for part in (query, key, value))
    rows = _attend(
        queries,
        torch.cat([*_seen(key, family), keys], dim=2),
        torch.cat([*_seen(value, family), values], dim=2),
        _visible(sum(end - start for start, end in family.prefix), max(lengths), query.device),
        scaling,
    )
    return [row[:, :length] for row, length in zip(rows, lengths, strict=True)]


def _attend(query: Tensor, key: Tensor, value: Tensor, visible: Tensor | None, scaling: float | None) -> Tensor:
    """[rows, heads, queries, dim]; ``visible`` [queries, keys], True where seen; None: causal.

    Torch's own attention, but on a CPU with products in bfloat16: there its kernel takes three times as long as with
    exact ones, and with two products and a softmax an answer's share of a training step takes a quarter (77 and 19 ms
    of 16 answers of 50 tokens behind 171, forward and backward).
    """
    if query.device.type == "cpu" and query.dtype == torch.float32 and _bfloat16_products():
        return _by_products(query, key, value, visible, scaling)
    causal = visible is None
    return scaled_dot_product_attention(query, key, value, attn_mask=visible, is_causal=causal, scale=scaling)


def _bfloat16_products() -> bool:
    return torch.get_float32_matmul_precision() == "medium"


def _by_products(query: Tensor, key: Tensor, value: Tensor, visible: Tensor | None, scaling: float | None) -> Tensor:
    rows, heads, length, dim = query.shape
    if visible is None:
        visible = torch.ones(length, length, dtype=torch.bool).tril()
    hidden = torch.zeros(visible.shape).masked_fill_(~visible, -math.inf)
    queries, keys, values = (part.reshape(rows * heads, -1, dim) for part in (query, key, value))
    scale = dim**-0.5 if scaling is None else scaling
    weights = torch.baddbmm(hidden, queries, keys.transpose(1, 2), alpha=scale).softmax(dim=-1)
    return torch.bmm(weights, values).view(rows, heads, length, dim)


def _seen(part: Tensor, family: Family) -> list[Tensor]:
    """What every member of a family sees of ``part``, [members, heads, tokens, dim] each."""
    return [part[:, :, start:end].expand(len(family.lengths), -1, -1, -1) for start, end in family.prefix]


def _rows(answers: Tensor, lengths: Sequence[int]) -> Tensor:
    """[answers, heads, longest, dim] from [heads, tokens, dim]: padded on the right with zeros that nobody sees."""
    longest = max(lengths)
    parts = torch.split(answers, list(lengths), dim=1)
    return torch.stack([pad(part, (0, 0, 0, longest - part.shape[1])) for part in parts])


def _visible(prompt: int, longest: int, device: torch.device) -> Tensor:
    """[longest, prompt + longest], True where seen: the whole prompt, and of its own answer what is not later."""
    own = torch.ones(longest, longest, dtype=torch.bool, device=device).tril()
    return torch.cat([torch.ones(longest, prompt, dtype=torch.bool, device=device), own], dim=1)
