"""A backbone with an arm's features in front of it, and why all arms of a seed begin as the same network."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor, nn

from trackrec.ctr.adaptor import Adaptor
from trackrec.ctr.backbones.interface import Backbone, InputSizes, build_backbone
from trackrec.ctr.dataset import Batch, Dataset
from trackrec.runtime.settings import CtrSettings


class Network(nn.Module):
    """The backbone of ``settings`` over own history and common inputs, an arm's numbers and adaptor beside these."""

    def __init__(self, data: Dataset, settings: CtrSettings, seed: int) -> None:
        """Arms of one ``seed`` start from the same backbone, and predict the same: the weights that read the arm's
        features are 0 at first, so what differs later is what was learned from them."""
        super().__init__()
        common, sizes = data.common, [vector.shape[1] for vector in data.features.vectors]
        inputs = InputSizes(common.samples.n_items, common.dense.shape[1], common.item_inputs.shape[1])
        torch.manual_seed(seed)
        self.backbone = build_backbone(inputs, settings)
        torch.manual_seed(seed)
        self.adaptor = Adaptor(settings.adaptor, sizes, settings.adaptor_dim) if sizes else None
        added = data.features.numbers.shape[1] + (self.adaptor.width if self.adaptor is not None else 0)
        if added:
            wide = build_backbone(replace(inputs, dense=inputs.dense + added), settings)
            self.backbone = widened(self.backbone, wide, inputs.dense)

    def forward(self, batch: Batch) -> Tensor:
        """P(label = 1) of ``batch``, shape (rows,)."""
        dense = torch.cat([batch.dense, batch.numbers], dim=1)
        if self.adaptor is not None:
            dense = torch.cat([dense, self.adaptor(batch.vectors, batch.flags)], dim=1)
        probability: Tensor = self.backbone(dense, batch)
        return probability

    def regularization(self) -> Tensor | float:
        """The backbone's penalty, in nats."""
        return self.backbone.regularization()


def widened(plain: Backbone, wide: Backbone, common: int) -> Backbone:
    """``wide`` with the weights of ``plain``, and 0 wherever it reads, or passes on, the arm's own inputs.

    Along each dimension in which a weight of ``wide`` is larger, these stand behind the first ``common`` entries.
    """
    shapes = {name: weight.shape for name, weight in wide.state_dict().items()}
    wide.load_state_dict({name: _widened(weight, shapes[name], common) for name, weight in plain.state_dict().items()})
    return wide


def _widened(weight: Tensor, shape: torch.Size, common: int) -> Tensor:
    for axis, size in enumerate(shape):
        gap = size - weight.shape[axis]
        if gap > 0:
            shared, rest = weight.tensor_split([common], dim=axis)
            zeros = weight.new_zeros([gap if i == axis else n for i, n in enumerate(weight.shape)])
            weight = torch.cat([shared, zeros, rest], dim=axis)
    return weight
