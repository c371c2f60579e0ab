"""What a backbone takes and gives. One is a class named as in ``ctr.backbone``, its file has the name in lower case."""

from __future__ import annotations

import importlib
from abc import ABC, abstractmethod
from dataclasses import dataclass

from torch import Tensor, nn

from trackrec.ctr.dataset import Batch
from trackrec.runtime.settings import CtrSettings


@dataclass(frozen=True)
class InputSizes:
    """Sizes that a backbone is built for."""

    items: int  # item codes, samples.PADDING among them
    dense: int  # dense inputs of a row: what all arms share, behind it the arm's own
    item_inputs: int  # numbers that the catalogue gives of each item; 0: items are known by their code alone


class Backbone(nn.Module, ABC):
    """A network from (dense inputs, history and target) to P(label = 1).

    Built by ``build_backbone`` from (sizes, settings); all its random weights come from torch's global generator. In
    every weight that reads the dense inputs they stand before everything else, in their order: ``network.widened`` puts
    the arm's own in there, behind those that all arms share.
    """

    @abstractmethod
    def forward(self, dense: Tensor, batch: Batch) -> Tensor:
        """Probabilities, shape (rows,).

        ``dense``: (rows, sizes.dense). Of ``batch`` a backbone reads items, labels, mask and item_inputs, never target.
        """

    @abstractmethod
    def regularization(self) -> Tensor | float:
        """What is added to a batch's mean log-loss, in nats."""


def build_backbone(sizes: InputSizes, settings: CtrSettings) -> Backbone:
    """The network of ``settings.backbone`` with random weights."""
    module = importlib.import_module(f"{__package__}.{settings.backbone.lower()}")
    network: Backbone = getattr(module, settings.backbone)(sizes, settings)
    return network
