"""Attention over one prompt and several answers behind it, none of which sees another; as fast as their true sizes.

A block mask over the whole sequence would do the same, but pays for every pair of tokens, seen or not: with a prompt of
300 and ten answers of 100 tokens 1.7 million pairs a head, of which 0.4 million are seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import pad, scaled_dot_product_attention

NAME = "trackrec_shared"  # as transformers' attention implementation
# What a model may do to its attention besides scaling, by the names of transformers' configurations: not done here.
_UNLIKE = ("sliding_window", "attn_logit_softcapping", "attention_chunk_size")


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
    plain = not any(getattr(model.config, name, None) for name in _UNLIKE)
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
    group: tuple[int, Sequence[int]] | None = None,
    **_: Any,
) -> tuple[Tensor, None]:
    """[1, tokens, heads, dim] from ``query`` [1, heads, tokens, dim], ``key`` and ``value`` [1, kv heads, tokens, dim].

    ``group``: tokens of the prompt and of each answer in turn. Without it: causal attention over rows that are padded
    on the right, if at all, as what stands behind a token is not seen. Transformers' interface decides the arguments.
    """
    if attention_mask is not None or dropout:
        raise ValueError("shared attention takes neither a mask nor dropout")
    each = query.shape[1] // key.shape[1]
    key, value = key.repeat_interleave(each, dim=1), value.repeat_interleave(each, dim=1)
    if group is None:
        attended = scaled_dot_product_attention(query, key, value, is_causal=True, scale=scaling)
        return attended.transpose(1, 2).contiguous(), None
    prompt, lengths = group
    queries, keys, values = (_rows(part[0, :, prompt:], lengths) for part in (query, key, value))
    first_keys, first_values = key[:, :, :prompt], value[:, :, :prompt]
    prompt_part = scaled_dot_product_attention(
        query[:, :, :prompt], first_keys, first_values, is_causal=True, scale=scaling
    )
    answer_parts = scaled_dot_product_attention(
        queries,
        torch.cat([first_keys.expand(len(lengths), -1, -1, -1), keys], dim=2),
        torch.cat([first_values.expand(len(lengths), -1, -1, -1), values], dim=2),
        attn_mask=_visible(prompt, max(lengths), query.device),
        scale=scaling,
    )
    parts = [row[:, :length] for row, length in zip(answer_parts, lengths, strict=True)]
    return torch.cat([prompt_part[0], *parts], dim=1).transpose(0, 1)[None].contiguous(), None


def _rows(answers: Tensor, lengths: Sequence[int]) -> Tensor:
    """[answers, heads, longest, dim] from [heads, tokens, dim]: padded on the right with zeros that nobody sees."""
    longest = max(lengths)
    parts = torch.split(answers, list(lengths), dim=1)
    return torch.stack([pad(part, (0, 0, 0, longest - part.shape[1])) for part in parts])


def _visible(prompt: int, longest: int, device: torch.device) -> Tensor:
    """[longest, prompt + longest], True where seen: the whole prompt, and of its own answer what is not later."""
    own = torch.ones(longest, longest, dtype=torch.bool, device=device).tril()
    return torch.cat([torch.ones(longest, prompt, dtype=torch.bool, device=device), own], dim=1)
