"""FuxiCTR's long-sequence models behind the interface: the FeatureMap is built in memory, no data processing of its."""

from __future__ import annotations

import importlib
import sys
import types
from collections import OrderedDict
from typing import Any

from torch import Tensor, nn

from trackrec.ctr.backbones.interface import Backbone, InputSizes
from trackrec.ctr.dataset import LABEL_CODES, NO_EVENT, Batch
from trackrec.ctr.samples import PADDING
from trackrec.runtime.settings import CtrSettings

LABEL_DIM = 4  # floats that stand for a label code of the history


class ZooBackbone(Backbone):
    """A model of ``model_zoo.LongCTR``: these all read dense inputs, one sequence with the target last, and a mask."""

    def __init__(self, name: str, sizes: InputSizes, settings: CtrSettings, **arguments: Any) -> None:
        """``arguments``: what the model ``name`` takes beside the embeddings' size and penalty."""
        super().__init__()
        self.model = zoo_class(name)(
            _feature_map(sizes, settings),
            embedding_dim=settings.embedding_dim,
            embedding_regularizer=settings.embedding_l2 or None,
            optimizer="adam",  # FuxiCTR asks for these four; ``training`` has its own
            loss="binary_crossentropy",
            metrics=["AUC"],
            model_root="",
            verbose=0,
            **arguments,
        )
        if sizes.item_inputs:
            # From 0: text and attributes then enter only as far as they help. From torch's uniform start they drown the
            # item's embedding, which starts near 0: validation log-loss .5953, from 0 .5898.
            nn.init.zeros_(self.model.embedding_layer.embedding_layer.feature_encoders["item_inputs"].weight)

    def forward(self, dense: Tensor, batch: Batch) -> Tensor:
        """Probabilities, shape (rows,)."""
        sequence = {"item": batch.items, "item_label": batch.labels}
        if batch.item_inputs.shape[-1]:
            sequence["item_inputs"] = batch.item_inputs
        output: Tensor = self.model(({"dense": dense}, sequence, batch.mask))["y_pred"]
        return output.squeeze(-1)

    def regularization(self) -> Tensor | float:
        """FuxiCTR's penalty on its embeddings: over whole tables, so rare items shrink as often as frequent ones."""
        penalty: Tensor | float = self.model.regularization_loss()
        return penalty


def zoo_class(name: str) -> Any:
    """The class ``model_zoo.LongCTR.<name>``, imported without Ray.

    FuxiCTR's embedding layer imports ``fuxictr.preprocess.tokenizer``, and that package's ``__init__`` imports Ray for
    a data pipeline we never use. A bare package stands in its place meanwhile, so only the tokenizer loads.
    """
    model, preprocess = f"model_zoo.LongCTR.{name}.{name}", "fuxictr.preprocess"
    if preprocess in sys.modules:
        return getattr(importlib.import_module(model), name)
    bare = types.ModuleType(preprocess)
    bare.__path__ = [f"{importlib.import_module('fuxictr').__path__[0]}/preprocess"]
    sys.modules[preprocess] = bare
    try:
        return getattr(importlib.import_module(model), name)
    finally:
        del sys.modules[preprocess]


def _feature_map(sizes: InputSizes, settings: CtrSettings) -> Any:
    feature_map = importlib.import_module("fuxictr.features").FeatureMap("trackrec", data_dir="")
    feature_map.labels = ["label"]
    as_it_is = {"type": "embedding", "feature_encoder": "nn.Identity()"}  # FuxiCTR's words for a dense input
    item = {"type": "categorical", "source": "item"}
    feature_map.features = OrderedDict(
        dense={**as_it_is, "source": "user", "embedding_dim": sizes.dense},
        item={**item, "vocab_size": sizes.items, "embedding_dim": settings.embedding_dim, "padding_idx": PADDING},
        # Zeros in an empty slot: FuxiCTR's mean over the history sums all slots, and divides by the events (+ 1e-12).
        item_label={**item, "vocab_size": LABEL_CODES, "embedding_dim": LABEL_DIM, "padding_idx": NO_EVENT},
    )
    if sizes.item_inputs:  # read through one linear layer, as wide as the item's embedding
        feature_map.features["item_inputs"] = {
            "type": "embedding", "source": "item", "pretrain_dim": sizes.item_inputs, "embedding_dim": settings.item_dim
        }  # fmt: skip
    return feature_map
