"""Training over groups with a common prompt: optimiser steps, checkpoints, resume; the objective is the caller's.

Nothing is drawn at random but the order of groups, which the seed decides, and sums are taken in one order, so a run
that was killed and resumed ends with the weights of one that was not, bit by bit on a CPU.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.utils.deterministic
from torch import Tensor

from trackrec.models.adapters import save_adapter
from trackrec.models.resolve import Model, base_model
from trackrec.runtime.errors import TrackrecError
from trackrec.runtime.settings import GroupTrainingSettings
from trackrec.training import shared_attention
from trackrec.training.checkpoints import Checkpoints
from trackrec.training.prefix import Group, separate_logps, shared_logps

Form = Callable[[Any, Group], Tensor]
Row = dict[str, float]


@dataclass(frozen=True)
class Objective:
    """What is learned: ``loss(i)`` gives the mean loss of group i and its figures.

    ``sizes``: examples in each group; a step's loss is the mean over its examples. ``name``, ``keys``: for errors.
    """

    name: str
    keys: Sequence[str]
    sizes: Sequence[int]
    loss: Callable[[int], tuple[Tensor, Row]]


def train(
    model: Any, objective: Objective, settings: GroupTrainingSettings, folder: Path, tell: Callable[[str], None]
) -> list[Row]:
    """Train the trainable weights of ``model`` in place; returns a row a step: loss, figures, grad_norm, groups.

    ``folder`` keeps checkpoints and ``steps.jsonl``; with an earlier checkpoint in it, training goes on from there.
    Raises TrackrecError at a loss that is no number: the last checkpoint stays.
    """
    with _repeatable():
        return _train(model, objective, settings, folder, tell)


def _train(
    model: Any, objective: Objective, settings: GroupTrainingSettings, folder: Path, tell: Callable[[str], None]
) -> list[Row]:
    weights = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(weights, lr=settings.learning_rate, weight_decay=0.0)
    order = _order(len(objective.keys), settings)
    checkpoints = Checkpoints(folder)
    step = checkpoints.restore(model, optimizer)
    rows = steps_of(folder)[:step]
    while step < len(order):
        for group in optimizer.param_groups:
            group["lr"] = settings.learning_rate * _warm(step, len(order), settings.warmup)
        optimizer.zero_grad(set_to_none=True)
        figures = _accumulate(objective, order[step])
        norm = torch.nn.utils.clip_grad_norm_(weights, settings.max_grad_norm)
        optimizer.step()
        rows.append(figures | {"grad_norm": float(norm), "groups": len(order[step])})
        step += 1
        if step % settings.checkpoint_steps == 0 or step == len(order):
            folder.mkdir(parents=True, exist_ok=True)
            _steps_file(folder).write_text("".join(json.dumps(row) + "\n" for row in rows))
            checkpoints.save(model, optimizer, step)
        told = ", ".join(f"{name} {value:.4g}" for name, value in rows[-1].items())
        tell(f"step {step} of {len(order)}: {told}")
    return rows


def train_adapter(
    start: Model, dtype: str, settings: GroupTrainingSettings, folder: Path, work: Callable[[Any, Path], object]
) -> Path:
    """The adapter in ``folder``; trained by ``work`` from ``start``'s own adapter, or a new one, where it is not there.

    ``work`` takes the model and the folder of its checkpoints.
    """
    from trackrec.models.lora import trainable

    adapter = folder / "adapter"
    if not adapter.is_dir():
        base = base_model(start)
        model = trainable(start, dtype, settings.lora, settings.seed)
        if settings.gradient_checkpointing:
            model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
            model.train()  # it is done in training only; there is no dropout
        work(model, folder / "training")
        save_adapter(model, adapter, source=base.source, version=base.version)
    Checkpoints(folder / "training").drop()
    return adapter


def form_of(model: Any, tell: Callable[[str], None]) -> Form:
    """The form of the forward pass that the model's attention allows, which is set; the slower one is announced."""
    if shared_attention.enable(model):
        return shared_logps
    tell(
        f"the attention of {model.config.model_type} is not plain (a sliding window, capped logits): the prompt is "
        "read again for every answer, at 10 candidates more than twice as slow."
    )
    return separate_logps


def steps_of(folder: Path) -> list[Row]:
    """The rows of the steps that were made in ``folder`` up to its last checkpoint."""
    path = _steps_file(folder)
    return [json.loads(line) for line in path.read_text().splitlines()] if path.is_file() else []


@contextmanager
def _repeatable() -> Iterator[None]:
    """Sums in one order. By default index_put's gradient adds in the order in which the CPU's threads come.

    Every answer's first token is predicted at the prompt's last position, so gradients meet there: without this, two
    runs of the same two steps differed in the seventh digit.
    """
    before = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    memory: Any = torch.utils.deterministic
    filled = memory.fill_uninitialized_memory
    torch.use_deterministic_algorithms(True, warn_only=True)
    memory.fill_uninitialized_memory = False  # it costs time, and nothing here reads what it has not written
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before[0], warn_only=before[1])
        memory.fill_uninitialized_memory = filled


def _accumulate(objective: Objective, batch: Sequence[int]) -> Row:
    """Gradients of the mean loss over the examples of ``batch``, one group at a time; returns its mean figures."""
    total = sum(objective.sizes[i] for i in batch)
    mean: Row = {}
    for i in batch:
        loss, figures = objective.loss(i)
        if not math.isfinite(loss.item()):
            raise TrackrecError(
                f"{objective.name}: the loss of {objective.keys[i]} is {loss.item()}; nothing of this step was kept.",
                "Training goes on from the last checkpoint when run again: lower the learning rate.",
            )
        share = objective.sizes[i] / total
        torch.autograd.backward(loss * share)
        for name, value in ({"loss": loss.item()} | figures).items():
            mean[name] = mean.get(name, 0.0) + share * value
    return mean


def _order(count: int, settings: GroupTrainingSettings) -> list[list[int]]:
    """Which groups each step sees: every one once an epoch, shuffled by the seed."""
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


def _steps_file(folder: Path) -> Path:
    return folder / "steps.jsonl"
