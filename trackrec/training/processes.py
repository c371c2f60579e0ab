"""The processes that train one adapter together: whose groups are whose, and sums over all of them.

Outside ``torch.distributed`` there is one process, and nothing here changes a bit of what it computes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

T = TypeVar("T")


@dataclass(frozen=True)
class Processes:
    """``rank`` of this process among ``count``; collective methods must be called by all of them in the same order."""

    rank: int
    count: int

    @classmethod
    def current(cls) -> Processes:
        """Those of the default process group; one where there is none."""
        if not dist.is_available() or not dist.is_initialized():
            return cls(0, 1)
        return cls(dist.get_rank(), dist.get_world_size())

    @property
    def is_first(self) -> bool:
        """Whether this process writes files and speaks for all."""
        return self.rank == 0

    def part(self, batch: Sequence[T]) -> Sequence[T]:
        """What of a step is this process's; none where there are more processes than groups."""
        return batch if self.count == 1 else batch[self.rank :: self.count]

    def same_start(self, weights: Sequence[Tensor]) -> None:
        """Give every process the first one's ``weights``."""
        if self.count > 1:
            for weight in weights:
                dist.broadcast(weight.data, src=0)

    def sum_gradients(self, weights: Sequence[Tensor]) -> None:
        """Add the gradients of ``weights`` over all processes; one that had no group adds zeros."""
        if self.count == 1:
            return
        parts = [torch.zeros_like(w) if w.grad is None else w.grad for w in weights]
        flat = torch.cat([part.flatten() for part in parts])
        dist.all_reduce(flat)
        summed = torch.split(flat, [part.numel() for part in parts])
        for weight, total in zip(weights, summed, strict=True):
            weight.grad = total.view_as(weight)

    def sum_figures(self, figures: dict[str, float]) -> dict[str, float]:
        """The sum of every figure over the processes that have it."""
        if self.count == 1:
            return figures
        total: dict[str, float] = {}
        for one in self._gathered(figures):
            for name, value in one.items():
                total[name] = total.get(name, 0.0) + value
        return total

    def of_all(self, count: int, value: Callable[[int], T]) -> list[T]:
        """``value(i)`` for every i below ``count``, each computed by one process."""
        mine = [value(i) for i in self.part(range(count))]
        if self.count == 1:
            return mine
        parts = self._gathered(mine)
        return [parts[i % self.count][i // self.count] for i in range(count)]

    def _gathered(self, value: T) -> list[T]:
        gathered: list[Any] = [None] * self.count
        dist.all_gather_object(gathered, value)
        return gathered
