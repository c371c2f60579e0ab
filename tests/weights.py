"""Folders of weights: one that only looks like it, for engines that read none, and one of a model cut short."""

from __future__ import annotations

from pathlib import Path

from trackrec.models.resolve import resolve_model


def write_weights(folder: Path) -> Path:
    """Make ``folder`` one in transformers' layout; returns it."""
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    (folder / "model.safetensors").write_bytes(b"1")
    return folder


def write_shallow_weights(folder: Path, source: str, cache: Path, layers: int = 2) -> Path:
    """The first ``layers`` layers of a model and its tokenizer: real trainings of it take a tenth of the time."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    path = resolve_model(source, cache).path
    network = AutoModelForCausalLM.from_pretrained(path, local_files_only=True, num_hidden_layers=layers)
    network.save_pretrained(folder)
    AutoTokenizer.from_pretrained(path, local_files_only=True).save_pretrained(folder)
    return folder
