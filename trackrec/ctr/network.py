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
        self.added_dropout, self.added_l2 = settings.added_dropout, settings.added_l2
        torch.manual_seed(seed)
        self.backbone = build_backbone(inputs, settings)
        torch.manual_seed(seed)
        self.adaptor = Adaptor(settings.adaptor, sizes, settings.adaptor_dim) if sizes else None
        self.shrunk: dict[str, Tensor] = {}  # 1 where a weight of the backbone reads the adaptor's output, else 0
        numbers, adapted = data.features.numbers.shape[1], 0 if self.adaptor is None else self.adaptor.width
        if numbers + adapted:
            plain = self.backbone
            wide = build_backbone(replace(inputs, dense=inputs.dense + numbers + adapted), settings)
            self.backbone = widened(plain, wide, inputs.dense)
            self.shrunk = added_entries(plain, wide, inputs.dense + numbers, adapted) if adapted else {}

    def forward(self, batch: Batch, random: torch.Generator | None = None) -> Tensor:
        """P(label = 1) of ``batch``, shape (rows,).

        ``random``: from which, in training, the dropout of the adaptor's output is drawn; None leaves nothing out. Not
        torch's own generator: the backbone's dropout is then the same in all arms of a seed.
        """
        inputs = [batch.dense, batch.numbers]
        if self.adaptor is not None:
            adapted = self.adaptor(batch.vectors, batch.flags)
            inputs.append(adapted if random is None else _dropped(adapted, self.added_dropout, random))
        probability: Tensor = self.backbone(torch.cat(inputs, dim=1), batch)
        return probability

    def regularization(self) -> Tensor | float:
        """The backbone's penalty, and ``added_l2`` / 2 a squared weight that reads the adaptor's output, in nats."""
        penalty = self.backbone.regularization()
        for name, entries in self.shrunk.items():
            weight = self.backbone.get_parameter(name)
            penalty = penalty + self.added_l2 / 2 * (weight * entries).square().sum()
        return penalty


def _dropped(values: Tensor, share: float, random: torch.Generator) -> Tensor:
    kept = torch.rand(values.shape, generator=random) >= share
    return values * kept / (1 - share)


def added_entries(plain: Backbone, wide: Backbone, start: int, size: int) -> dict[str, Tensor]:
    """1 in each entry of a weight of ``wide`` that reads the inputs ``start`` … ``start + size`` or passes them on.

    In the others 0. By the weight's name, without biases; ``plain`` is the same backbone without the arm's inputs.
    """
    shapes = {name: weight.shape for name, weight in plain.named_parameters()}
    entries = {}
    for name, weight in wide.named_parameters():
        axes = [axis for axis, length in enumerate(weight.shape) if length > shapes[name][axis]]
        if axes and weight.ndim > 1:
            entries[name] = torch.zeros_like(weight, requires_grad=False)
            for axis in axes:
                entries[name].narrow(axis, start, size).fill_(1)
    return entries


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
