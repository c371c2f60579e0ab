"""A backbone with an arm's features in front of it, and why all arms of a seed begin as the same network."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from trackrec.ctr.adaptor import Adaptor
from trackrec.ctr.backbones.interface import Backbone, InputSizes, build_backbone
from trackrec.ctr.dataset import COUNTERS, Batch, Dataset
from trackrec.runtime.settings import CtrSettings


class Network(nn.Module):
    """The backbone of ``settings`` over own history and counters, an arm's adaptor beside the counters."""

    def __init__(self, data: Dataset, settings: CtrSettings, seed: int) -> None:
        """Arms of one ``seed`` start from the same backbone, and predict the same: the weights that read the arm's
        features are 0 at first, so what differs later is what was learned from them."""
        super().__init__()
        items, sizes = data.common.samples.n_items, [vector.shape[1] for vector in data.features.vectors]
        torch.manual_seed(seed)
        self.backbone = build_backbone(InputSizes(items, COUNTERS), settings)
        torch.manual_seed(seed)
        kind = "linear" if data.features.linear else settings.adaptor
        self.adaptor = Adaptor(kind, sizes, settings.adaptor_dim) if sizes else None
        if self.adaptor is not None:
            wide = build_backbone(InputSizes(items, COUNTERS + self.adaptor.width), settings)
            self.backbone = widened(self.backbone, wide)

    def forward(self, batch: Batch) -> Tensor:
        """P(label = 1) of ``batch``, shape (rows,)."""
        dense = batch.counters
        if self.adaptor is not None:
            dense = torch.cat([dense, self.adaptor(batch.vectors, batch.present)], dim=1)
        probability: Tensor = self.backbone(dense, batch)
        return probability

    def regularization(self) -> Tensor | float:
        """The backbone's penalty, in nats."""
        return self.backbone.regularization()


def widened(plain: Backbone, wide: Backbone) -> Backbone:
    """``wide`` with the weights of ``plain``, and 0 wherever it reads, or passes on, the inputs behind the counters.

    Along each dimension in which a weight of ``wide`` is larger, these inputs stand behind the first COUNTERS entries.
    """
    shapes = {name: weight.shape for name, weight in wide.state_dict().items()}
    wide.load_state_dict({name: _widened(weight, shapes[name]) for name, weight in plain.state_dict().items()})
    return wide


def _widened(weight: Tensor, shape: torch.Size) -> Tensor:
    for axis, size in enumerate(shape):
        gap = size - weight.shape[axis]
        if gap > 0:
            counters, rest = weight.tensor_split([COUNTERS], dim=axis)
            zeros = weight.new_zeros([gap if i == axis else n for i, n in enumerate(weight.shape)])
            weight = torch.cat([counters, zeros, rest], dim=axis)
    return weight
