"""A backbone with an arm's features in front of it, and why all arms of a seed begin as the same network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

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
        self.dropout, self.added_l2 = nn.Dropout(settings.added_dropout), settings.added_l2
        self.readers: list[Reader] = []
        if added:
            plain, wide = self.backbone, build_backbone(replace(inputs, dense=inputs.dense + added), settings)
            self.readers = readers(plain, wide, inputs.dense)
            self.backbone = widened(plain, wide, inputs.dense)

    def forward(self, batch: Batch) -> Tensor:
        """P(label = 1) of ``batch``, shape (rows,)."""
        added = batch.numbers
        if self.adaptor is not None:
            added = torch.cat([added, self.adaptor(batch.vectors, batch.flags)], dim=1)
        probability: Tensor = self.backbone(torch.cat([batch.dense, self.dropout(added)], dim=1), batch)
        return probability

    def regularization(self) -> Tensor | float:
        """The backbone's penalty and that on the weights that read the arm's inputs, in nats."""
        penalty = self.backbone.regularization()
        weights = dict(self.backbone.named_parameters()) if self.readers else {}
        for reader in self.readers:
            penalty = penalty + self.added_l2 * reader.of(weights).square().sum()
        return penalty


@dataclass(frozen=True)
class Reader:
    """The part of a weight of the backbone that reads the arm's inputs, or passes them on."""

    weight: str
    axis: int
    start: int
    size: int

    def of(self, weights: Mapping[str, Tensor]) -> Tensor:
        """That part of the weight among the backbone's ``weights``."""
        return weights[self.weight].narrow(self.axis, self.start, self.size)


def readers(plain: Backbone, wide: Backbone, common: int) -> list[Reader]:
    """Where ``wide`` reads the arm's inputs; ``plain`` is the same backbone without them. Biases are not among them."""
    shapes = {name: weight.shape for name, weight in plain.named_parameters()}
    return [
        Reader(name, axis, common, size - shapes[name][axis])
        for name, weight in wide.named_parameters()
        if weight.ndim > 1
        for axis, size in enumerate(weight.shape)
        if size > shapes[name][axis]
    ]


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
