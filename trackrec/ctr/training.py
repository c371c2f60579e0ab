"""Fit one network: early stop on validation log-loss, best weights kept, the test window never touched here."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import torch
from torch.nn.functional import binary_cross_entropy
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from trackrec.ctr.dataset import Batch, Dataset
from trackrec.ctr.network import Network
from trackrec.metrics.arrays import Ints
from trackrec.metrics.probability import logloss
from trackrec.metrics.ranking import auc
from trackrec.runtime.settings import CtrSettings

_PREDICT_ROWS = 4096
# Of the average at each step: it looks back over about 50 of them, less than an epoch of MovieLens-100k (60). Weights
# as they are after an epoch differ by chance: with the average plain has validation log-loss .5887 instead of .5898,
# and of +.0100 planted +.0077 ± .0016 come out instead of +.0063 ± .0030 (5 seeds, before added_dropout).
_MEMORY = 0.98


@dataclass(frozen=True)
class Fit:
    """A fitted network and how it did on validation at the epoch that was kept (1 = first)."""

    model: Network
    validation_logloss: float
    validation_auc: float
    epoch: int


def fit(data: Dataset, train: Ints, validation: Ints, settings: CtrSettings, seed: int, passes: int = 1) -> Fit:
    """Train on ``train`` until validation log-loss did not fall for ``patience`` epochs; keep the best epoch's weights.

    An epoch is so many ``passes`` over ``train``: of a tenth of the rows ten are as many steps as one of all, and with
    one the average of the weights would still be near where they began when the last epoch ends.

    What is validated and kept is the average of the weights over the last steps. Of epochs with the same log-loss the
    first is kept: later ones only fitted the training rows further. Initial weights, order of rows and dropout depend
    on ``seed`` alone, and are the same for every arm of that seed but without_item_text, whose layers are smaller.
    """
    model = Network(data, settings, seed)
    average = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(_MEMORY))  # type: ignore[no-untyped-call]
    optimizer = torch.optim.Adam(_parameter_groups(model, settings))
    shuffle, added = torch.Generator().manual_seed(seed), torch.Generator().manual_seed(seed)
    torch.manual_seed(seed)
    label = data.common.samples.label[validation]
    averaged = cast(Network, average.module)
    best, weights, epoch_kept = float("inf"), averaged.state_dict(), 0
    for epoch in range(1, settings.epochs + 1):
        for _ in range(passes):
            _train_pass(model, average, data.batches(train, settings.batch_size, shuffle), optimizer, added)
        loss = logloss(label, predict(averaged, data, validation))
        if loss < best:
            best, weights, epoch_kept = loss, copy.deepcopy(averaged.state_dict()), epoch
        elif epoch - epoch_kept >= settings.patience:
            break
    averaged.load_state_dict(weights)
    return Fit(averaged, best, auc(label, predict(averaged, data, validation)), epoch_kept)


def predict(model: Network, data: Dataset, rows: Ints) -> npt.NDArray[np.float64]:
    """P(label = 1) of ``rows``, in their order."""
    model.eval()
    with torch.no_grad():
        parts = [model(batch) for batch in data.batches(rows, _PREDICT_ROWS)]
    return np.asarray(torch.cat(parts).numpy(), dtype=np.float64)


def _train_pass(
    model: Network,
    average: AveragedModel,
    batches: Iterable[Batch],
    optimizer: torch.optim.Optimizer,
    random: torch.Generator,
) -> None:
    model.train()
    for batch in batches:
        optimizer.zero_grad()
        loss = binary_cross_entropy(model(batch, random), batch.target) + model.regularization()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(model.parameters(), 10.0)
        optimizer.step()
        average.update_parameters(model)


def _parameter_groups(model: Network, settings: CtrSettings) -> list[dict[str, Any]]:
    groups: list[dict[str, Any]] = [{"params": model.backbone.parameters(), "lr": settings.learning_rate}]
    if model.adaptor is not None:
        groups.append({"params": model.adaptor.parameters(), "lr": settings.adaptor_learning_rate})
    return groups
