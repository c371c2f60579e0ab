"""FuxiCTR's DIN behind a thin adapter: the FeatureMap is built in memory, its data processing is never touched."""

from __future__ import annotations

import importlib
import sys
import types
from collections import OrderedDict
from typing import Any

import torch
from torch import Tensor, nn

from trackrec.ctr.adaptor import Adaptor
from trackrec.ctr.dataset import COUNTERS, LABEL_CODES, Batch, Dataset
from trackrec.ctr.samples import PADDING
from trackrec.runtime.settings import CtrSettings

LABEL_DIM = 4
_AS_IS = {"type": "embedding", "feature_encoder": "nn.Identity()"}  # FuxiCTR's way to say: dense, already projected


def fuxictr_din() -> Any:
    """The class ``model_zoo.LongCTR.DIN``, imported without Ray.

    FuxiCTR's embedding layer imports ``fuxictr.preprocess.tokenizer``, and that package's ``__init__`` imports Ray for
    a data pipeline we never use. A bare package stands in its place while DIN is imported, so only the tokenizer loads.
    """
    name = "fuxictr.preprocess"
    if name in sys.modules:
        return importlib.import_module("model_zoo.LongCTR.DIN.DIN").DIN
    bare = types.ModuleType(name)
    bare.__path__ = [f"{importlib.import_module('fuxictr').__path__[0]}/preprocess"]
    sys.modules[name] = bare
    try:
        return importlib.import_module("model_zoo.LongCTR.DIN.DIN").DIN
    finally:
        del sys.modules[name]


class Backbone(nn.Module):
    """DIN over own history and fresh counters, an arm's adaptor beside them; gives P(label = 1), shape (rows,)."""

    def __init__(self, data: Dataset, settings: CtrSettings, seed: int) -> None:
        """Arms of one ``seed`` start from the same DIN, and predict the same: the weights that read the arm's features
        are 0 at first, so what differs later is what was learned from them."""
        super().__init__()
        sizes = [v.shape[1] for v in data.features.vectors]
        torch.manual_seed(seed)
        self.din = _din(data.samples.n_items, 0, settings)
        torch.manual_seed(seed)
        kind = "linear" if len(sizes) == 1 else settings.adaptor
        self.adaptor = Adaptor(kind, sizes, settings.adaptor_dim) if sizes else None
        if self.adaptor is not None:
            self.din = _widened(self.din, _din(data.samples.n_items, self.adaptor.width, settings), self.adaptor.width)

    def forward(self, batch: Batch) -> Tensor:
        """Probabilities of ``batch``, shape (rows,)."""
        dense = {"counters": batch.counters}
        if self.adaptor is not None:
            dense["features"] = self.adaptor(batch.vectors, batch.present)
        sequence = {"item": batch.items, "item_label": batch.labels}
        out: Tensor = self.din((dense, sequence, batch.mask))["y_pred"]
        return out.squeeze(-1)

    def regularization(self) -> Any:
        """FuxiCTR's penalty on its embeddings: over whole tables, so rare items shrink as often as frequent ones."""
        return self.din.regularization_loss()


def _din(n_items: int, extra: int, settings: CtrSettings) -> Any:
    feature_map = importlib.import_module("fuxictr.features").FeatureMap("trackrec", data_dir="")
    feature_map.labels = ["label"]
    feature_map.features = OrderedDict(counters={**_AS_IS, "source": "user", "embedding_dim": COUNTERS})
    if extra:
        feature_map.features["features"] = {**_AS_IS, "source": "user", "embedding_dim": extra}
    item = {"type": "categorical", "source": "item"}
    dim = settings.embedding_dim
    feature_map.features["item"] = {**item, "vocab_size": n_items, "embedding_dim": dim, "padding_idx": PADDING}
    feature_map.features["item_label"] = {**item, "vocab_size": LABEL_CODES, "embedding_dim": LABEL_DIM}
    return fuxictr_din()(
        feature_map,
        dnn_hidden_units=list(settings.hidden_units),
        attention_hidden_units=[32],
        attention_hidden_activations="ReLU",  # Dice keeps batch statistics, which lag in runs of a few hundred steps
        net_dropout=settings.dropout,
        embedding_dim=dim,
        embedding_regularizer=settings.embedding_l2 or None,
        optimizer="adam",
        loss="binary_crossentropy",
        metrics=["AUC"],
        verbose=0,
        model_root="",
    )


def _widened(plain: Any, wide: Any, extra: int) -> Any:
    """``wide`` with the weights of ``plain``; the columns of its first layer that read the ``extra`` inputs are 0."""
    weights = plain.state_dict()
    first = weights["dnn.mlp.0.weight"]
    zeros = first.new_zeros(len(first), extra)
    weights["dnn.mlp.0.weight"] = torch.cat([first[:, :COUNTERS], zeros, first[:, COUNTERS:]], dim=1)
    wide.load_state_dict(weights)
    return wide
