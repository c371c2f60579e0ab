"""S-DPO training of G's adapter.

The reference is G at the start of the round: its log-probabilities are computed once, by the weights that training
then starts from, and kept beside the checkpoints.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from trackrec.runtime.errors import TrackrecError
from trackrec.runtime.events import Stage
from trackrec.runtime.settings import AlignmentSettings
from trackrec.training.group_loop import Figures, LogpsFunction, Objective, logps_function, train
from trackrec.training.prefix import Group
from trackrec.training.processes import Processes
from trackrec.training.products import products
from trackrec.training.sdpo_loss import a_token, agreement, chosen_nll, sdpo_losses

_REFERENCE = "reference.json"


@dataclass(frozen=True)
class Preference:
    """One history's candidates as token ids, the chosen answer first; ``key`` names it in logs and errors."""

    key: str
    group: Group


def train_sdpo(
    model: Any, preferences: Sequence[Preference], settings: AlignmentSettings, folder: Path, stage: Stage
) -> list[Figures]:
    """Train ``model`` in place; returns a row of figures a step (loss, margin, accuracy, …). See ``group_loop.train``.

    With an ``sft_weight`` a row has chosen_nll (nats a token) too, and the loss is S-DPO's and its weight times that.
    ``folder`` keeps the reference besides; TrackrecError where it is the training of other preferences.
    """
    logps = logps_function(model, stage)
    with products(bfloat16=settings.bfloat16_products):  # as in training: where it begins Δ is 0
        reference = _reference(model, preferences, folder, logps)

    def loss_of(i: int) -> tuple[Tensor, Figures]:
        policy = logps(model, preferences[i].group)[None]
        fixed = reference[i].to(policy.device)[None]
        tokens = torch.tensor([preferences[i].group.counts], device=policy.device)
        of_chosen = chosen_nll(policy, tokens).mean()
        if settings.length_normalised:
            policy, fixed = a_token(policy, tokens), a_token(fixed, tokens)
        present = torch.ones_like(policy, dtype=torch.bool)
        loss = sdpo_losses(policy, fixed, present, settings.beta).mean()
        agreed = agreement(policy.detach(), fixed, present, settings.beta)
        figures = {"margin": agreed.margin, "accuracy": agreed.accuracy}
        if settings.sft_weight:
            return loss + settings.sft_weight * of_chosen, figures | {"chosen_nll": of_chosen.item()}
        return loss, figures

    keys = [f"history {preference.key}" for preference in preferences]
    return train(model, Objective("S-DPO", keys, [1] * len(keys), loss_of), settings, folder, stage)


@torch.no_grad()
def _reference(model: Any, preferences: Sequence[Preference], folder: Path, logps: LogpsFunction) -> list[Tensor]:
    """Log-probabilities of every answer under the weights that training starts from, computed once a folder."""
    path = folder / _REFERENCE
    digest = hashlib.sha256(repr([(p.key, p.group) for p in preferences]).encode()).hexdigest()
    if path.is_file():
        stored = json.loads(path.read_text())
        if stored["digest"] == digest:
            return [torch.tensor(row) for row in stored["logps"]]
        raise TrackrecError(
            f"{folder} holds the training of other preferences ({len(stored['logps'])}, now {len(preferences)}).",
            "Give a folder of its own to each round, or delete it.",
        )
    processes = Processes.current()
    reference = processes.of_all(len(preferences), lambda i: logps(model, preferences[i].group).float().cpu())
    if not processes.is_first:
        return reference
    folder.mkdir(parents=True, exist_ok=True)
    scratch = path.with_suffix(".tmp")
    scratch.write_text(json.dumps({"digest": digest, "logps": [row.tolist() for row in reference]}))
    scratch.replace(path)
    return reference
