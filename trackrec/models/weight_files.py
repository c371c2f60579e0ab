"""What lies in a model's folder: safetensors that are loaded, nothing pickled that could be."""

from __future__ import annotations

import sys
from functools import cache
from pathlib import Path

from trackrec.runtime.errors import BadInputError
from trackrec.runtime.terminal import printable_line

_PICKLED = {".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle"}
# Where one of these is, transformers and sentence-transformers load nothing else, and peft nothing beside the last.
# Beside safetensors of another name they would load the pickled file.
_LOADED = ("model.safetensors", "model.safetensors.index.json")
_LOADED_OF_ADAPTER = ("adapter_model.safetensors",)


def check_weights(folder: Path, what: str) -> None:
    """BadInputError where ``folder`` is no model, or one whose weights would be unpickled; ``what`` names it there.

    Pickled files beside weights that are loaded in their place are said on stderr, once a process.
    """
    if not (folder / "config.json").is_file():
        raise BadInputError(f"{what}: {folder} holds no config.json.", "Name a folder in transformers' layout.")
    check_pickled(folder, what)
    if not any(folder.rglob("*.safetensors")):
        raise BadInputError(f"{what}: {folder} holds no safetensors.", "Give weights as safetensors.")


def check_pickled(folder: Path, what: str) -> None:
    """The part of ``check_weights`` about pickled files, which holds for an adapter's folder too."""
    pickled = [path for path in sorted(folder.rglob("*")) if path.suffix in _PICKLED]
    for path in pickled:
        loaded = _LOADED_OF_ADAPTER if path.stem == "adapter_model" else _LOADED
        if not any((path.parent / name).is_file() for name in loaded):
            raise BadInputError(
                f"{what}: {path.relative_to(folder)} is pickled and could run code when loaded.",
                "Give weights as safetensors (save_pretrained writes them as model.safetensors).",
            )
    if pickled:
        _say_ignored(what, ", ".join(str(path.relative_to(folder)) for path in pickled))


@cache
def _say_ignored(what: str, files: str) -> None:
    print(printable_line(f"trackrec: {what}: pickled, never loaded: {files}."), file=sys.stderr)
