"""Which prompts a training of V read: its folder's name does not say, a small file in it does."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path

_FILE = "prompts.sha256"


def folder_for_prompts(folder: Path, prompts: Sequence[str]) -> Path:
    """``folder``, or where the training in it read other prompts (a title was corrected) ``<folder>-<8 hex digits>``.

    The file is written where there is none: beside the adapter of an earlier version, which is taken to have read these
    prompts, and for a training that begins.
    """
    digest = hashlib.sha256(json.dumps(list(prompts)).encode()).hexdigest()
    file = folder / _FILE
    if not file.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        scratch = file.with_suffix(".tmp")
        scratch.write_text(digest)
        os.replace(scratch, file)
    return folder if file.read_text() == digest else folder.with_name(f"{folder.name}-{digest[:8]}")
