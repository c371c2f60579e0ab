"""Batches for the network: own history with visible labels, counters and matches, the target with its label masked."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from trackrec.ctr.as_of import counts_before, own_history
from trackrec.ctr.features import Features
from trackrec.ctr.floors import shrunk_share
from trackrec.ctr.items import ItemTexts
from trackrec.ctr.matching import attribute_match, centroid_matches, scaled_matches
from trackrec.ctr.samples import Samples
from trackrec.ctr.whitening import Floats, Whitening, fit_whitening
from trackrec.metrics.arrays import Ints

# Codes of the label feature that runs along the history. The target's is always MASKED: FuxiCTR's DIN takes history and
# target as one sequence, target last, so its true label there would be the answer itself.
NO_EVENT, NOT_LIKED, LIKED, MASKED = 0, 1, 2, 3
LABEL_CODES = 4
COUNTERS = 4  # shrunk share of likes and log count, of the user and of the item; the first dense inputs
# Small inputs learn slowly: validation log-loss on MovieLens-100k .5898 with 1, .5890 with .3, .5895 with .1.
ITEM_SCALE = 0.3


@dataclass(frozen=True)
class Batch:
    """Inputs of ``rows`` samples, the history's L slots first and the target last."""

    items: Tensor  # (rows, L + 1) item codes
    labels: Tensor  # (rows, L + 1) label codes, MASKED at the target
    mask: Tensor  # (rows, L) 1 where the slot holds an event
    item_inputs: Tensor  # (rows, L + 1, n) what the catalogue says of each item; zeros where the slot is empty
    dense: Tensor  # (rows, n) counters and matches, alike in all arms
    vectors: tuple[Tensor, ...]  # each (rows, k) of the arm, zeros where there is none
    flags: Tensor  # (rows, vectors) 1 where there is one
    numbers: Tensor  # (rows, n) of the arm
    target: Tensor  # (rows,) the answer, for the loss only


@dataclass(frozen=True)
class CommonInputs:
    """What all arms read alike, of every sample; nothing in it depends on a sample's own label."""

    samples: Samples
    history: Tensor  # (rows, L) row numbers of the user's past events, newest last, -1 where there are fewer
    dense: Tensor  # (rows, n) counters, and where items have texts how they match
    item_inputs: Tensor  # (items, n) by item_all
    item_whitening: Whitening | None = None  # of the text vectors among them; None where items have no texts

    @classmethod
    def of(cls, samples: Samples, texts: ItemTexts, length: int, components: int, fitted: Ints) -> CommonInputs:
        """Inputs with the newest ``length`` events of each sample's user.

        Texts are whitened to ``components`` by the items of the sample rows ``fitted`` (those trained on).
        """
        past = own_history(samples.user, samples.event_time, samples.known_time, length)
        dense = [_counters(samples)]
        if texts.vectors.shape[1]:
            cosines = centroid_matches(samples, past, texts.vectors)
            dense.append(scaled_matches(cosines, attribute_match(samples, texts.attributes)))
        whitening = _item_whitening(samples, texts, components, fitted)
        return cls(
            samples,
            torch.from_numpy(past.astype(np.int32)),
            torch.from_numpy(np.concatenate(dense, axis=1)),
            torch.from_numpy(_item_inputs(texts, whitening)),
            whitening,
        )

    def without_item_texts(self) -> CommonInputs:
        """The same without what the catalogue says of the items: the counters alone."""
        nothing = self.item_inputs[:, :0]
        return replace(self, dense=self.dense[:, :COUNTERS], item_inputs=nothing, item_whitening=None)


class Dataset:
    """All samples with one arm's features, ready to be cut into batches; ``common`` is shared by the arms."""

    def __init__(self, common: CommonInputs, features: Features) -> None:
        self.common, self.features = common, features
        samples = common.samples
        self._item, self._label = torch.from_numpy(samples.item), torch.from_numpy(samples.label)
        self._item_all = torch.from_numpy(samples.item_all)
        # A row of zeros behind the last one stands for "none": index -1.
        self._vectors = tuple(_with_zeros(vector) for vector in features.vectors)
        self._flags = _with_zeros(features.flags)
        self._row = torch.from_numpy(features.row)
        self._numbers = torch.from_numpy(features.numbers)

    def batch(self, rows: Tensor) -> Batch:
        """Inputs of the samples ``rows``; only ``target`` depends on their own labels."""
        history = self.common.history[rows].long()
        mask = history >= 0
        past = history.clamp(min=0)
        items = torch.where(mask, self._item[past], 0)
        labels = torch.where(mask, self._label[past] + NOT_LIKED, NO_EVENT)
        texts = self.common.item_inputs
        of_history = texts[self._item_all[past]] * mask.unsqueeze(-1)
        row = self._row[rows]
        return Batch(
            items=torch.cat([items, self._item[rows].unsqueeze(1)], dim=1),
            labels=torch.cat([labels, torch.full((len(rows), 1), MASKED)], dim=1),
            mask=mask.float(),
            item_inputs=torch.cat([of_history, texts[self._item_all[rows]].unsqueeze(1)], dim=1),
            dense=self.common.dense[rows],
            vectors=tuple(vector[row] for vector in self._vectors),
            flags=self._flags[row],
            numbers=self._numbers[rows],
            target=self._label[rows].float(),
        )

    def batches(self, rows: Ints, size: int, shuffle: torch.Generator | None = None) -> Iterator[Batch]:
        """Batches of at most ``size`` of ``rows``, in order, or in the order the generator draws."""
        ordered = torch.from_numpy(rows)
        if shuffle is not None:
            ordered = ordered[torch.randperm(len(rows), generator=shuffle)]
        for start in range(0, len(rows), size):
            yield self.batch(ordered[start : start + size])


def _with_zeros(values: Floats) -> Tensor:
    return torch.from_numpy(np.concatenate([values, np.zeros((1, values.shape[1]), np.float32)]))


def _item_whitening(samples: Samples, texts: ItemTexts, components: int, fitted: Ints) -> Whitening | None:
    """Fitted on the items of the sample rows ``fitted``; None where no item has a text."""
    if not texts.vectors.shape[1]:
        return None
    items = np.unique(samples.item_all[fitted])
    items = items[texts.described[items]]
    return fit_whitening(texts.vectors[items], components, "table item_vectors, column item_vector")


def _item_inputs(texts: ItemTexts, whitening: Whitening | None) -> Floats:
    """Whitened text vector and 0/1 attributes of every item, times ITEM_SCALE; (items, n)."""
    if whitening is None:
        return np.zeros((len(texts.described), 0), np.float32)
    values = np.where(texts.described[:, None], whitening.apply(texts.vectors), np.float32(0))
    return np.asarray(ITEM_SCALE * np.concatenate([values, texts.attributes], axis=1), dtype=np.float32)


def _counters(samples: Samples) -> npt.NDArray[np.float32]:
    """Share of likes and log(1 + events), of the user and of the item, in what was known strictly before each event.

    Shares are shrunk to the share of all events known by then, so that nothing here is fitted: no row's own label, and
    none that became known later, reaches its counters. Fixed scales bring them near mean 0, sd 1. Shape (rows,
    COUNTERS).
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
