"""Deep & Cross Network V2 (arXiv 2008.13535): cross and deep layers side by side; the history is its events' mean."""

from __future__ import annotations

from trackrec.ctr.backbones.fuxictr_zoo import ZooBackbone
from trackrec.ctr.backbones.interface import InputSizes
from trackrec.runtime.settings import CtrSettings


class DCNv2(ZooBackbone):
    """FuxiCTR's DCNv2 with full-rank cross layers."""

    def __init__(self, sizes: InputSizes, settings: CtrSettings) -> None:
        super().__init__(
            "DCNv2",
            sizes,
            settings,
            model_structure="parallel",
            num_cross_layers=2,
            parallel_dnn_hidden_units=list(settings.hidden_units),
            net_dropout=settings.dropout,
        )
