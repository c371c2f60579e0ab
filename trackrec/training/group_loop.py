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
from torch.optim.lr_scheduler import LambdaLR
from transformers import get_linear_schedule_with_warmup

from trackrec.models import shared_attention
from trackrec.models.adapters import save_adapter
from trackrec.models.resolve import Model, base_model, ensure_local
from trackrec.runtime.errors import TrackrecError
from trackrec.runtime.events import Stage
from trackrec.runtime.settings import GroupTrainingSettings
from trackrec.training.checkpoints import Checkpoints
from trackrec.training.prefix import Group, separate_logps, shared_logps
from trackrec.training.processes import Processes
from trackrec.training.products import products

LogpsFunction = Callable[[Any, Group], Tensor]  # model, group → log-probability of each answer
Figures = dict[str, float]  # of one step, by name


@dataclass(frozen=True)
class Objective:
    """What is learned: ``loss(i)`` gives the mean loss of group i and its other figures.

    ``sizes``: examples in each group; a step's loss is the mean over its examples. ``name``, ``keys``: for errors.
    """

    name: str
    keys: Sequence[str]
    sizes: Sequence[int]
    loss: Callable[[int], tuple[Tensor, Figures]]


def train(
    model: Any, objective: Objective, settings: GroupTrainingSettings, folder: Path, stage: Stage
) -> list[Figures]:
    """Train the trainable weights of ``model`` in place; returns a row a step: loss, figures, grad_norm, groups.

    Every step is reported to ``stage``. ``folder`` keeps checkpoints and ``steps.jsonl``; with an earlier checkpoint in
    it, training goes on from there. Of several ``processes`` each takes its part of every step's groups and ends with
    the same weights; the first writes. Raises TrackrecError at a loss that is no number: the last checkpoint stays.
    """
    with _sums_in_one_order(), products(bfloat16=settings.bfloat16_products):
        return _train(model, objective, settings, folder, stage)


def _train(
    model: Any, objective: Objective, settings: GroupTrainingSettings, folder: Path, stage: Stage
) -> list[Figures]:
    processes = Processes.current()
    weights = [p for p in model.parameters() if p.requires_grad]
    parameters = [{"params": weights, "initial_lr": settings.learning_rate}]
    optimizer = torch.optim.AdamW(parameters, lr=settings.learning_rate, weight_decay=0.0)
    batches = _batches(len(objective.keys), settings)
    checkpoints = Checkpoints(folder)
    step = checkpoints.restore(model, optimizer)
    schedule = linear_schedule(optimizer, len(batches), settings.warmup, finished=step)
    processes.same_start(weights)
    rows = steps_of(folder)[:step]
    while step < len(batches):
        optimizer.zero_grad(set_to_none=True)
        figures = _accumulate(objective, batches[step], weights, processes)
        norm = torch.nn.utils.clip_grad_norm_(weights, settings.max_grad_norm)
        optimizer.step()
        schedule.step()
        rows.append(figures | {"grad_norm": float(norm), "groups": len(batches[step])})
        step += 1
        if processes.is_first and (step % settings.checkpoint_steps == 0 or step == len(batches)):
            folder.mkdir(parents=True, exist_ok=True)
            _steps_file(folder).write_text("".join(json.dumps(row) + "\n" for row in rows))
            checkpoints.save(model, optimizer, step)
        stage.step(step, len(batches), rows[-1])
    return rows


def linear_schedule(optimizer: torch.optim.Optimizer, steps: int, warmup: float, finished: int) -> LambdaLR:
    """Transformers' linear schedule over ``steps`` steps, of which ``finished`` lie behind; ``warmup``: their share.

    Its rate is 0 at its first position and at its last, and a step there would teach nothing. So it is one position
    longer than the training and step 1 stands at its position 1: with w steps of warm-up (one at least), step k of n
    has k / w of the learning rate, behind the warm-up (n + 1 − k) / (n + 1 − w). The schedule that this one replaced
    went down by (n + 1 − k) / (n − w), so that the step behind the warm-up had the full rate again; up it was the same.
    The optimizer's groups carry ``initial_lr``, which the schedule wants of a training that goes on.
    """
    warmup_steps = max(1, round(warmup * steps))
    linear: Any = get_linear_schedule_with_warmup
    schedule: LambdaLR = linear(optimizer, warmup_steps, steps + 1, last_epoch=finished)
    return schedule


def train_adapter(
    start: Model,
    dtype: str,
    settings: GroupTrainingSettings,
    folder: Path,
    train_in_place: Callable[[Any, Path], object],
    beside: Sequence[str] = (),
) -> Path:
    """The adapter in ``folder``; where there is none, ``start``'s own or a new one is trained and saved there.

    ``train_in_place`` takes the model and the folder of its checkpoints, in which it may leave files that belong to the
    adapter: ``beside`` names those.
    """
    from trackrec.models.lora import trainable

    adapter = folder / "adapter"
    if not adapter.is_dir():
        base = base_model(start)
        model = trainable(ensure_local(start), dtype, settings.lora, settings.seed)
        if settings.gradient_checkpointing:
            model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
            model.train()  # it is done in training only; there is no dropout
        train_in_place(model, folder / "training")
        if Processes.current().is_first:
            files = [folder / "training" / name for name in beside]
            save_adapter(model, adapter, source=base.source, version=base.version, files=files)
    if Processes.current().is_first:
        Checkpoints(folder / "training").drop()
    return adapter


def logps_function(model: Any, stage: Stage) -> LogpsFunction:
    """The fastest function that the model's attention, set here, allows; the slower one is a notice of ``stage``."""
    if shared_attention.enable(model):
        return shared_logps
    stage.notice(
        f"the attention of {model.config.model_type} is not plain (a sliding window, capped logits): the prompt is "
        "read again for every answer, at 10 candidates more than twice as slow."
    )
    return separate_logps


def steps_of(folder: Path) -> list[Figures]:
    """The rows of the steps that were finished in ``folder`` up to its last checkpoint."""
    path = _steps_file(folder)
    return [json.loads(line) for line in path.read_text().splitlines()] if path.is_file() else []


def first_and_last(steps: Sequence[Figures], names: Sequence[str], weight: str | None = None) -> Figures:
    """first_<name>: the first step's figure; last_<name>: its mean over the last quarter, as one step says little.

    ``steps``: rows as from ``train``, one at least. ``weight``: the figure that a step counts by; None: all alike.
    """
    late = steps[-max(1, len(steps) // 4) :]
    weights = [1.0 if weight is None else step[weight] for step in late]
    figures: Figures = {}
    for name in names:
        figures[f"first_{name}"] = steps[0][name]
        figures[f"last_{name}"] = sum(step[name] * w for step, w in zip(late, weights, strict=True)) / sum(weights)
    return figures


@contextmanager
def _sums_in_one_order() -> Iterator[None]:
    """By default index_put's gradient adds in the order in which the CPU's threads come.

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


def _accumulate(objective: Objective, batch: Sequence[int], weights: Sequence[Tensor], processes: Processes) -> Figures:
    """Gradients of the mean loss over the examples of ``batch``, one group at a time; returns its mean figures."""
    total = sum(objective.sizes[i] for i in batch)
    mean: Figures = {}
    for i in processes.part(batch):
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
    processes.sum_gradients(weights)
    return processes.sum_figures(mean)


def _batches(count: int, settings: GroupTrainingSettings) -> list[list[int]]:
    """Which of ``count`` groups each step sees: every one once an epoch, shuffled by the seed."""
    rng = torch.Generator().manual_seed(settings.seed)
    steps = []
    for _ in range(settings.epochs):
        shuffled = torch.randperm(count, generator=rng).tolist()
        steps += [shuffled[i : i + settings.batch_size] for i in range(0, count, settings.batch_size)]
    return steps


def _steps_file(folder: Path) -> Path:
    return folder / "steps.jsonl"
