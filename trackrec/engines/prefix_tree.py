"""Prompts with common beginnings as one sequence of tokens, in which a beginning stands once."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from trackrec.models.shared_attention import Family

# A beginning shorter than this is not worth a family of its own, which costs a call of attention a layer.
_LEAST_SHARED = 16


@dataclass(frozen=True)
class PrefixTree:
    """``tokens``, each with its position in the prompts that it is part of; ``ends``: where each prompt's last stands.

    ``families`` says who sees whom (``models.shared_attention``).
    """

    tokens: tuple[int, ...]
    positions: tuple[int, ...]
    families: tuple[Family, ...]
    ends: tuple[int, ...]


@dataclass(frozen=True)
class _Branch:
    """Prompts ``low`` to ``high`` (exclusive) in their order, which are the same up to token ``depth`` and beyond."""

    low: int
    high: int
    depth: int


def common_start(one: Sequence[int], other: Sequence[int]) -> int:
    """How many tokens two prompts have in common at their beginning."""
    shortest = min(len(one), len(other))
    return next((i for i in range(shortest) if one[i] != other[i]), shortest)


def prefix_tree(prompts: Sequence[Sequence[int]], least_shared: int = _LEAST_SHARED) -> PrefixTree:
    """The tree of ``prompts`` (token ids, none empty), in any order: on every level they part where they differ.

    Beginnings of fewer than ``least_shared`` tokens are repeated instead.
    """
    order = sorted(range(len(prompts)), key=lambda i: tuple(prompts[i]))
    ordered = [prompts[i] for i in order]
    shared = [0, *(common_start(one, other) for one, other in pairwise(ordered))]
    tokens: list[int] = []
    positions: list[int] = []
    families: list[Family] = []
    ends = [0] * len(prompts)
    waiting: deque[tuple[tuple[tuple[int, int], ...], list[_Branch]]] = deque()
    waiting.append(((), _branches(_Branch(0, len(ordered), 0), shared, least_shared)))
    while waiting:
        prefix, branches = waiting.popleft()
        start, lengths = len(tokens), []
        for branch in branches:
            own = len(tokens)
            stop = min(shared[branch.low + 1 : branch.high], default=len(ordered[branch.low]))
            tokens += ordered[branch.low][branch.depth : stop]
            positions += range(branch.depth, stop)
            lengths.append(stop - branch.depth)
            ended = branch.low  # those that end here stand first, as the shorter ones
            while ended < branch.high and len(ordered[ended]) == stop:
                ends[order[ended]] = len(tokens) - 1
                ended += 1
            if ended < branch.high:
                rest = _Branch(ended, branch.high, stop)
                waiting.append(((*prefix, (own, len(tokens))), _branches(rest, shared, least_shared)))
        families.append(Family(prefix, start, tuple(lengths)))
    return PrefixTree(tuple(tokens), tuple(positions), tuple(families), tuple(ends))


def _branches(branch: _Branch, shared: Sequence[int], least_shared: int) -> list[_Branch]:
    """Its prompts, cut where neighbours have fewer than ``least_shared`` tokens in common beyond ``depth``."""
    cuts = [i for i in range(branch.low + 1, branch.high) if shared[i] < branch.depth + least_shared]
    bounds = zip([branch.low, *cuts], [*cuts, branch.high], strict=True)
    return [_Branch(low, high, branch.depth) for low, high in bounds]
