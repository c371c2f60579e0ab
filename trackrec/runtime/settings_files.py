"""Settings read from files: conf/base.yaml < conf/<env>.yaml < ``--set key=value``.

An unknown key is an error that names the nearest known one; nothing is ignored in silence.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from trackrec.runtime.errors import BadInputError
from trackrec.runtime.settings import Settings


def load_settings(conf: str | Path, overrides: Sequence[str] = ()) -> Settings:
    """Read ``base.yaml`` beside ``conf``, then ``conf``, then ``key=value`` overrides.

    Raises BadInputError that names the file or the setting that is wrong and, for an unknown one, the nearest known.
    """
    conf = Path(conf)
    if not conf.is_file():
        raise BadInputError(f"settings file {conf} does not exist.", "Give one of conf/*.yaml with --conf.")
    tree: dict[str, Any] = {}
    base = conf.parent / "base.yaml"
    for path in [base, conf] if base.is_file() and base != conf else [conf]:
        tree = _merge(tree, _read_yaml(path))
    for override in overrides:
        tree = _merge(tree, _parse_override(override))
    try:
        settings = Settings.model_validate(tree)
    except ValidationError as error:
        raise BadInputError(_first_fault(error), f"Correct it in {conf} or in --set.") from None
    found = {"spark_conf": str((conf.parent / settings.spark_conf).resolve())} | _models_beside(conf.parent, settings)
    return settings.model_copy(update=found)


def _models_beside(folder: Path, settings: Settings) -> dict[str, Any]:
    """Sections whose model is a relative path that lies beside the settings file and not in the working directory."""
    found: dict[str, Any] = {}
    for name in ("generator", "encoder", "validator"):
        section = getattr(settings, name)
        kind, _, rest = section.model.source.partition(":") if section else ("", "", "")
        if kind in ("adapter", "path") and not Path(rest).expanduser().exists() and (folder / rest).exists():
            source = f"{kind}:{(folder / rest).resolve()}"
            found[name] = section.model_copy(update={"model": section.model.model_copy(update={"source": source})})
    return found


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        tree = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except yaml.YAMLError as error:
        raise BadInputError(f"{path} is not YAML: {' '.join(str(error).split())}.", "Correct the file.") from None
    if not isinstance(tree, dict):
        raise BadInputError(f"{path} holds a {type(tree).__name__}, not settings.", "Write key: value lines.")
    return tree


def _merge(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        old = merged.get(key)
        merged[key] = _merge(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return merged


def _parse_override(text: str) -> dict[str, Any]:
    key, sign, value = text.partition("=")
    if not sign or not key:
        raise BadInputError(f"--set {text!r} is not key=value.", "Write e.g. --set histories.every_n=5.")
    try:
        parsed: Any = yaml.safe_load(value)
    except yaml.YAMLError:
        parsed = value
    for part in reversed(key.split(".")):
        parsed = {part: parsed}
    assert isinstance(parsed, dict)
    return parsed


def _first_fault(error: ValidationError) -> str:
    fault = error.errors()[0]
    name = ".".join(str(part) for part in fault["loc"])
    if fault["type"] != "extra_forbidden":
        given = "" if fault["type"] == "missing" else f" (given: {fault['input']!r})"
        return f"setting {name}: {fault['msg']}{given}."
    near = difflib.get_close_matches(name, _setting_names(Settings), n=1, cutoff=0.0)
    return f"unknown setting {name}; the nearest known one is {near[0]}."


def _setting_names(section: type[BaseModel], prefix: str = "") -> list[str]:
    names = []
    for name, field in section.model_fields.items():
        names.append(prefix + name)
        inner = [a for a in (field.annotation, *getattr(field.annotation, "__args__", ())) if isinstance(a, type)]
        for kind in inner:
            if issubclass(kind, BaseModel):
                names += _setting_names(kind, f"{prefix}{name}.")
    return names
