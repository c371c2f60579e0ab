"""S-DPO training of G's adapter: the loop, its checkpoints, its resume.

The reference is G at the start of the round: its log-probabilities are computed once, by the weights that training
then starts from, and kept beside the checkpoints. Nothing is drawn at random but the order of groups, which the seed
decides, so a run that was killed and resumed ends with the weights of one that was not.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from trackrec.checkpoints import Checkpoints
from trackrec.config import AlignmentSettings
from trackrec.errors import TrackrecError
from trackrec.prefix import Group, can_share, separate_logps, shared_logps
from trackrec.sdpo import agreement, sdpo_losses

_REFERENCE = "reference.json"


@dataclass(frozen=True)
class Preference:
    """One history's candidates as token ids, the chosen answer first; ``key`` names it in logs and errors."""

    key: str
    group: Group


def align(
    model: Any,
    preferences: Sequence[Preference],
    settings: AlignmentSettings,
    folder: Path,
    tell: Callable[[str], None] = print,
) -> list[dict[str, float]]:
    """Train the trainable weights of ``model`` in place; returns a row of figures a step (loss, margin, accuracy, …).

    ``folder`` keeps the reference, checkpoints and ``steps.jsonl``; with an earlier checkpoint of the same preferences
    in it, training goes on from there. Raises TrackrecError at a loss that is no number: the last checkpoint stays.
    """
    form = logps_of(model, tell)
    reference = _reference(model, preferences, folder, form)
    weights = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(weights, lr=settings.learning_rate, weight_decay=0.0)
    order = _order(len(preferences), settings)
    checkpoints = Checkpoints(folder)
    step, rows = checkpoints.restore(model, optimizer), _told(folder)
    rows = rows[:step]
    while step < len(order):
        batch = [preferences[i] for i in order[step]]
        fixed = [reference[i] for i in order[step]]
        for group in optimizer.param_groups:
            group["lr"] = settings.learning_rate * _warm(step, len(order), settings.warmup)
        rows.append(_step(model, optimizer, weights, batch, fixed, form, settings))
        step += 1
        if step % settings.checkpoint_steps == 0 or step == len(order):
            (folder / "steps.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
            checkpoints.save(model, optimizer, step)
        told = ", ".join(f"{name} {value:.4g}" for name, value in rows[-1].items())
        tell(f"step {step} of {len(order)}: {told}")
    return rows


def logps_of(model: Any, tell: Callable[[str], None]) -> Callable[[Any, Group], Tensor]:
    """The form of the forward pass that the model's attention allows; the slower one is announced."""
    if can_share(model):
        return shared_logps
    tell(
        f"attention {model.config._attn_implementation!r} takes no block mask: every candidate reads the prompt "
        "again, about 2.4 times slower at 10 candidates. Load the model with attn_implementation sdpa."
    )
    return separate_logps


def _step(
    model: Any,
    optimizer: Any,
    weights: list[Tensor],
    batch: list[Preference],
    reference: list[Tensor],
    form: Callable[[Any, Group], Tensor],
    settings: AlignmentSettings,
) -> dict[str, float]:
    """One optimiser step over ``batch``: gradients are accumulated group by group, the loss is the mean of theirs."""
    optimizer.zero_grad(set_to_none=True)
    figures: list[tuple[float, float, float]] = []
    for preference, fixed in zip(batch, reference, strict=True):
        policy = form(model, preference.group)[None]
        fixed = fixed.to(policy.device)[None]
        present = torch.ones_like(policy, dtype=torch.bool)
        loss = sdpo_losses(policy, fixed, present, settings.beta).mean()
        if not math.isfinite(loss.item()):
            raise TrackrecError(
                f"S-DPO: the loss of history {preference.key} is {loss.item()}; nothing of this step was kept.",
                "Training goes on from the last checkpoint when run again: lower align.learning_rate or align.beta.",
            )
        torch.autograd.backward(loss / len(batch))
        found = agreement(policy.detach(), fixed, present, settings.beta)
        figures.append((loss.item(), found.margin, found.accuracy))
    norm = torch.nn.utils.clip_grad_norm_(weights, settings.max_grad_norm)
    optimizer.step()
    loss, margin, accuracy = (sum(column) / len(figures) for column in zip(*figures, strict=True))
    told = {"loss": loss, "margin": margin, "accuracy": accuracy, "grad_norm": float(norm)}
    return told | {"groups": len(figures)}


@torch.no_grad()
def _reference(
    model: Any, preferences: Sequence[Preference], folder: Path, form: Callable[[Any, Group], Tensor]
) -> list[Tensor]:
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
    found = [form(model, preference.group).float().cpu() for preference in preferences]
    folder.mkdir(parents=True, exist_ok=True)
    scratch = path.with_suffix(".tmp")
    scratch.write_text(json.dumps({"digest": digest, "logps": [row.tolist() for row in found]}))
    scratch.replace(path)
    return found


def _order(count: int, settings: AlignmentSettings) -> list[list[int]]:
    """Which preferences each step sees: every one once an epoch, shuffled by the seed."""
    dice = torch.Generator().manual_seed(settings.seed)
    steps = []
    for _ in range(settings.epochs):
        mixed = torch.randperm(count, generator=dice).tolist()
        steps += [mixed[i : i + settings.batch_size] for i in range(0, count, settings.batch_size)]
    return steps


def _warm(step: int, steps: int, warmup: float) -> float:
    """Share of the learning rate: up linearly over the first ``warmup`` of all steps, then down linearly to 0."""
    first = max(1, round(warmup * steps))
    return (step + 1) / first if step < first else (steps - step) / max(1, steps - first)


def _told(folder: Path) -> list[dict[str, float]]:
    path = folder / "steps.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.is_file() else []
