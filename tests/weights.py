"""A folder that looks like weights, for engines that read none."""

from __future__ import annotations

from pathlib import Path


def write_weights(folder: Path) -> Path:
    """Make ``folder`` one in transformers' layout; returns it."""
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    (folder / "model.safetensors").write_bytes(b"1")
    return folder
