"""FinalMLP (arXiv 2304.00902): two streams of layers, fused bilinearly, the history as the mean of its events."""

from __future__ import annotations

from trackrec.ctr.backbones.fuxictr_zoo import ZooBackbone
from trackrec.ctr.backbones.interface import InputSizes
from trackrec.runtime.settings import CtrSettings


class FinalMLP(ZooBackbone):
    """FuxiCTR's FinalMLP for sequences.

    It has no feature selection: the class builds the paper's gates, but its forward pass never reads them.
    """

    def __init__(self, sizes: InputSizes, settings: CtrSettings) -> None:
        super().__init__(
            "FinalMLP",
            sizes,
            settings,
            mlp1_hidden_units=list(settings.hidden_units),
            mlp1_dropout=settings.dropout,
            mlp2_hidden_units=list(settings.hidden_units),
            mlp2_dropout=settings.dropout,
            use_fs=False,
        )
