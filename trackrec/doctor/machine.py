"""The machine as the checks see it; a test hands them another one."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


def text_of(path: Path) -> str:
    """The text of a file; empty where there is none."""
    return path.read_text(encoding="utf-8") if path.is_file() else ""


@dataclass(frozen=True)
class Machine:
    """The checkout, the user's home and environment, and where the kernel says what there is."""

    root: Path
    home: Path
    env: Mapping[str, str]
    proc: Path = Path("/proc")
    cgroup: Path = Path("/sys/fs/cgroup")

    def run(self, *command: str, seconds: float = 10) -> tuple[int, str]:
        """Exit code and output of a program; 127 for one that cannot start or does not end in time."""
        none, pipe, out = subprocess.DEVNULL, subprocess.PIPE, subprocess.STDOUT
        try:
            ended = subprocess.run(command, stdin=none, stdout=pipe, stderr=out, timeout=seconds, env=self.env)
        except (OSError, subprocess.TimeoutExpired) as error:
            return 127, str(error)
        return ended.returncode, ended.stdout.decode("utf-8", "replace").strip() or "it printed nothing"

    def path(self, text: str) -> Path:
        """A path as a shell in the checkout reads it: ``~/`` is the home, a relative one begins at the checkout."""
        return self.home / text[2:] if text.startswith("~/") else self.root / text

    def which(self, program: str) -> str:
        """The path of a program as a shell in the checkout finds it, or nothing."""
        return shutil.which(self.named(program), path=self.env.get("PATH", "")) or ""

    def named(self, program: str) -> str:
        """``program`` as the checkout names it: a name, or a path from its root."""
        return str(self.path(program)) if os.sep in program else program

    @property
    def installed(self) -> bool:
        """Whether `make install` has run to its end."""
        return (self.root / ".venv" / "installed").is_file()

    @property
    def outdated(self) -> bool:
        """Whether `make install` has something to do, by make's own rule."""
        times = [(self.root / name).stat().st_mtime for name in ("requirements/cpu.txt", "setup.py")]
        return not self.installed or max(times) > (self.root / ".venv" / "installed").stat().st_mtime

    @property
    def python(self) -> str:
        """The Python of .venv, or the name of the one that `make install` makes it of."""
        return ".venv/bin/python" if self.installed else self.env.get("PYTHON") or "python3.11"

    def downloads(self) -> dict[str, Path]:
        """Models (``name==version``) and data that conf/base.yaml takes from a package index, each with its folder."""
        text = text_of(self.root / "conf" / "base.yaml")
        cache = self.path((re.findall(r"(?m)^cache:\s*(\S+)", text) or ["~/.cache/trackrec"])[0])
        wheels = re.findall(r"(?m)^\s*source:\s*pypi:(\S+)", text)
        folders = {wheel: cache / "models" / wheel.replace("==", "-") for wheel in wheels}
        return {**folders, "MovieLens-100k": cache / "data" / "ml-100k"}

    def pinned(self) -> dict[str, str]:
        """Name and version of every package in requirements/cpu.txt."""
        return dict(re.findall(r"(?m)^([\w.-]+)==([^\s;]+)", text_of(self.root / "requirements" / "cpu.txt")))

    def spark_defaults(self) -> dict[str, str]:
        """What the spark-defaults.conf that Spark will read sets; nothing where there is none."""
        path = self.path(self.env.get("SPARK_CONF_DIR") or "conf/local") / "spark-defaults.conf"
        return dict(re.findall(r"(?m)^[ \t]*(spark\.[\w.-]+)[ \t=:]+(.*?)[ \t]*$", text_of(path)))
