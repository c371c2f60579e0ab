"""Deep Interest Network (arXiv 1706.06978): the history weighted by attention to the target item."""

from __future__ import annotations

from trackrec.ctr.backbones.fuxictr_zoo import ZooBackbone
from trackrec.ctr.backbones.interface import InputSizes
from trackrec.runtime.settings import CtrSettings


class DIN(ZooBackbone):
    """FuxiCTR's DIN."""

    def __init__(self, sizes: InputSizes, settings: CtrSettings) -> None:
        super().__init__(
            "DIN",
            sizes,
            settings,
            dnn_hidden_units=list(settings.hidden_units),
            attention_hidden_units=[32],
            attention_hidden_activations="ReLU",  # Dice keeps batch statistics, which lag in a few hundred steps
            net_dropout=settings.dropout,
        )
