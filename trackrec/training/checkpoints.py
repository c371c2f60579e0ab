"""Checkpoints that are complete or not there: trainable weights and AdamW's state as safetensors, nothing pickled."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

_STATE = ("exp_avg", "exp_avg_sq", "step")


class Checkpoints:
    """``folder``/step-<n>/{weights,optimizer}.safetensors; only the newest is kept."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def save(self, model: Any, optimizer: torch.optim.Optimizer, step: int) -> None:
        """Write step ``step`` beside its final name, move it there in one go, drop the older ones."""
        scratch, final = self.folder / f".step-{step}", self.folder / f"step-{step}"
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir(parents=True)
        trainable = _trainable(model)
        save_file(
            {name: weight.detach().contiguous() for name, weight in trainable.items()}, scratch / "weights.safetensors"
        )
        state = {
            f"{name}/{part}": torch.as_tensor(optimizer.state[weight][part]).contiguous()
            for name, weight in trainable.items()
            for part in _STATE
            if weight in optimizer.state
        }
        save_file(state, scratch / "optimizer.safetensors")
        shutil.rmtree(final, ignore_errors=True)
        scratch.rename(final)
        self.drop(but=step)

    def restore(self, model: Any, optimizer: torch.optim.Optimizer) -> int:
        """Load the newest checkpoint into both; returns its step, 0 where there is none."""
        steps = self._steps()
        if not steps:
            return 0
        folder = self.folder / f"step-{steps[-1]}"
        weights, state = load_file(folder / "weights.safetensors"), load_file(folder / "optimizer.safetensors")
        for name, weight in _trainable(model).items():
            weight.data.copy_(weights[name])
            parts = {part: state[f"{name}/{part}"] for part in _STATE if f"{name}/{part}" in state}
            if parts:
                # AdamW keeps its step count on the CPU, the averages where the weights are.
                optimizer.state[weight] = {k: v if k == "step" else v.to(weight.device) for k, v in parts.items()}
        return steps[-1]

    def drop(self, but: int | None = None) -> None:
        """Remove all but step ``but``; all where the training is over and its weights are kept elsewhere."""
        for step in self._steps():
            if step != but:
                shutil.rmtree(self.folder / f"step-{step}")

    def _steps(self) -> list[int]:
        return sorted(int(path.name.removeprefix("step-")) for path in self.folder.glob("step-*"))


def _trainable(model: Any) -> dict[str, Tensor]:
    return {name: weight for name, weight in model.named_parameters() if weight.requires_grad}
