"""Small wheels in a folder that pip takes for the only index."""

from __future__ import annotations

import zipfile
from pathlib import Path


def write_part(house: Path, name: str, content: bytes, version: str = "1.0", files: int = 1) -> Path:
    """A wheel of ``name`` whose data folder holds ``content``, in as many copies as ``files``; returns its path."""
    house.mkdir(exist_ok=True)
    module = name.replace("-", "_")
    wheel = house / f"{module}-{version}-py3-none-any.whl"
    info = f"{module}-{version}.dist-info"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr(f"{module}/__init__.py", "")
        for number in range(files):
            archive.writestr(f"{module}/data/slice{number}.bin", content)
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
    return wheel
