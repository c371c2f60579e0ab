"""Batches for the network: own history with visible labels, fresh counters, the target with its label masked."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from trackrec.ctr.as_of import counts_before, own_history
from trackrec.ctr.features import Features
from trackrec.ctr.floors import shrunk_share
from trackrec.ctr.samples import Samples
from trackrec.metrics.arrays import Ints

# Codes of the label feature that runs along the history. The target's is always MASKED: FuxiCTR's DIN takes history and
# target as one sequence, target last, so its true label there would be the answer itself.
NO_EVENT, NOT_LIKED, LIKED, MASKED = 0, 1, 2, 3
LABEL_CODES = 4
COUNTERS = 4  # shrunk share of likes and log count, of the user and of the item


@dataclass(frozen=True)
class Batch:
    """Inputs of ``rows`` samples, the history's L slots first and the target last."""

    items: Tensor  # (rows, L + 1) item codes
    labels: Tensor  # (rows, L + 1) label codes, MASKED at the target
    mask: Tensor  # (rows, L) 1 where the slot holds an event
    counters: Tensor  # (rows, COUNTERS)
    vectors: tuple[Tensor, ...]  # features of the rows that are present
    present: Tensor  # (rows,) boolean: the row has features
    target: Tensor  # (rows,) the answer, for the loss only


@dataclass(frozen=True)
class CommonInputs:
    """What all arms read alike, of every sample; nothing in it depends on a sample's own label."""

    samples: Samples
    history: Tensor  # (rows, L) row numbers of the user's past events, newest last, -1 where there are fewer
    counters: Tensor  # (rows, COUNTERS)

    @classmethod
    def of(cls, samples: Samples, length: int) -> CommonInputs:
        """Inputs with the newest ``length`` events of each sample's user."""
        past = own_history(samples.user, samples.event_time, samples.known_time, length)
        return cls(samples, torch.from_numpy(past.astype(np.int32)), torch.from_numpy(_counters(samples)))


class Dataset:
    """All samples with one arm's features, ready to be cut into batches; ``common`` is shared by the arms."""

    def __init__(self, common: CommonInputs, features: Features) -> None:
        self.common, self.features = common, features
        self._item, self._label = torch.from_numpy(common.samples.item), torch.from_numpy(common.samples.label)
        self._snapshot = torch.from_numpy(features.snapshot)
        self._vectors = tuple(torch.from_numpy(vector) for vector in features.vectors)

    def batch(self, rows: Tensor) -> Batch:
        """Inputs of the samples ``rows``; only ``target`` depends on their own labels."""
        history = self.common.history[rows].long()
        mask = history >= 0
        past = history.clamp(min=0)
        items = torch.where(mask, self._item[past], 0)
        labels = torch.where(mask, self._label[past] + NOT_LIKED, NO_EVENT)
        snapshot = self._snapshot[rows]
        present = snapshot >= 0
        return Batch(
            items=torch.cat([items, self._item[rows].unsqueeze(1)], dim=1),
            labels=torch.cat([labels, torch.full((len(rows), 1), MASKED)], dim=1),
            mask=mask.float(),
            counters=self.common.counters[rows],
            vectors=tuple(vector[snapshot[present]] for vector in self._vectors),
            present=present,
            target=self._label[rows].float(),
        )

    def batches(self, rows: Ints, size: int, shuffle: torch.Generator | None = None) -> Iterator[Batch]:
        """Batches of at most ``size`` of ``rows``, in order, or in the order the generator draws."""
        ordered = torch.from_numpy(rows)
        if shuffle is not None:
            ordered = ordered[torch.randperm(len(rows), generator=shuffle)]
        for start in range(0, len(rows), size):
            yield self.batch(ordered[start : start + size])


def _counters(samples: Samples) -> npt.NDArray[np.float32]:
    """Share of likes and log(1 + events), of the user and of the item, in what was known strictly before each event.

    Shares are shrunk to the share of all events known by then, so that nothing here is fitted: no row's own label, and
    none that became known later, reaches its counters. Fixed scales bring them near mean 0, sd 1. Shape
    (rows, COUNTERS).
    """
    events, liked = _before(samples, np.zeros_like(samples.user))  # of all users together
    overall = (liked + 1) / (events + 2)
    columns = []
    for group in (samples.user, samples.item_all):
        events, liked = _before(samples, group)
        columns += [4 * (shrunk_share(liked, events, overall) - 0.5), np.log1p(events) / 4]
    return np.stack(columns, axis=1).astype(np.float32)


def _before(samples: Samples, group: Ints) -> tuple[Ints, Ints]:
    return counts_before(group, samples.event_time, samples.known_time, samples.label)
