"""Deep Interest Evolution Network (arXiv 1809.03672): one GRU reads the history, a second attends to the target."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from trackrec.ctr.backbones.fuxictr_zoo import ZooBackbone
from trackrec.ctr.backbones.interface import InputSizes
from trackrec.ctr.dataset import Batch
from trackrec.runtime.settings import CtrSettings


class DIEN(ZooBackbone):
    """FuxiCTR's DIEN with AUGRU, and like it without the paper's auxiliary loss.

    That loss tells the next event from items drawn at random. Here it would teach which item a user rates next, while
    the question is whether they like it; the answer to that stands in the history already.
    """

    def __init__(self, sizes: InputSizes, settings: CtrSettings) -> None:
        super().__init__(
            "DIEN",
            sizes,
            settings,
            dnn_hidden_units=list(settings.hidden_units),
            net_dropout=settings.dropout,
            batch_norm=False,  # as the others
            # As in the paper's code: validation log-loss .5905 at the third epoch, without .5907 at the sixth (seed 1).
            # Attention by a small network as DIN's, instead of the bilinear form: .5910.
            enable_sum_pooling=True,
        )
        # FuxiCTR's squeezes away the rows of a batch of one; here no row is without an event (see events_first).
        self.model.get_unmasked_tensor = lambda state, mask: state.reshape(len(mask), -1)

    def forward(self, dense: Tensor, batch: Batch) -> Tensor:
        """Probabilities, shape (rows,)."""
        return super().forward(dense, events_first(batch))


def events_first(batch: Batch) -> Batch:
    """``batch`` with each history's events before its empty slots, as FuxiCTR's DIEN packs them, oldest still first.

    A history without events becomes one of a single empty slot, whose embedding is zeros: nothing to pack is an error.
    """
    rows, length = batch.mask.shape
    events = torch.argsort(batch.mask, dim=1, descending=True, stable=True)
    order = torch.cat([events, torch.full((rows, 1), length)], dim=1)  # the target stays last
    mask = batch.mask.gather(1, events).long()
    mask[:, 0] = 1
    return replace(
        batch,
        items=batch.items.gather(1, order),
        labels=batch.labels.gather(1, order),
        mask=mask,
        item_inputs=batch.item_inputs.gather(1, order.unsqueeze(-1).expand_as(batch.item_inputs)),
    )
