"""Settings read from files: conf/base.yaml < conf/<env>.yaml < ``--set key=value``, merged by pydantic-settings.

An unknown key is an error that names the nearest known one; nothing is ignored in silence. Environment variables and
``.env`` files set nothing: a run is decided by its files and its command line alone.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_settings import BaseSettings, InitSettingsSource, PydanticBaseSettingsSource

from trackrec.runtime.errors import BadInputError
from trackrec.runtime.settings import ModelSettings, Settings

_Section = TypeVar("_Section", bound=BaseModel)


def load_settings(conf: str | Path, overrides: Sequence[str] = ()) -> Settings:
    """Read ``base.yaml`` beside ``conf``, then ``conf``, then ``key=value`` overrides.

    Raises BadInputError that names the file or the setting that is wrong and, for an unknown one, the nearest known.
    """
    conf = Path(conf)
    if not conf.is_file():
        raise BadInputError(f"settings file {conf} does not exist.", "Give one of conf/*.yaml with --conf.")
    base = conf.parent / "base.yaml"
    files = [base, conf] if base.is_file() and base != conf else [conf]
    layers = [*map(_read_yaml, files), *map(_parse_override, overrides)]
    try:
        settings = Settings.model_validate(_merged(layers))
    except ValidationError as error:
        raise _bad_input(error, conf) from None
    return _with_places_beside(conf.parent, settings)


class _Yaml(yaml.SafeLoader):
    """YAML in which a day that no calendar has (2026-13-31) stays text, so that the setting's own check names it."""


def _timestamp(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> Any:
    try:
        return loader.construct_yaml_timestamp(node)
    except ValueError:
        return node.value


_Yaml.add_constructor("tag:yaml.org,2002:timestamp", _timestamp)


def _read_yaml(path: Path) -> dict[Any, Any]:
    try:
        tree = yaml.load(path.read_text(encoding="utf-8"), _Yaml) or {}
    except (yaml.YAMLError, ValueError) as error:  # ValueError: bytes that are not UTF-8
        raise BadInputError(f"{path} is not YAML: {' '.join(str(error).split())}.", "Correct the file.") from None
    if not isinstance(tree, dict):
        raise BadInputError(f"{path} holds a {type(tree).__name__}, not settings.", "Write key: value lines.")
    return tree


def _parse_override(text: str) -> dict[str, Any]:
    key, sign, value = text.partition("=")
    if not sign or not key:
        raise BadInputError(f"--set {text!r} is not key=value.", "Write e.g. --set histories.every_n=5.")
    try:
        tree: Any = yaml.load(value, _Yaml)
    except (yaml.YAMLError, ValueError):
        tree = value
    for part in reversed(key.split(".")):
        tree = {part: tree}
    assert isinstance(tree, dict)
    return tree


def _merged(layers: Sequence[dict[Any, Any]]) -> dict[Any, Any]:
    """One tree of all layers, a later one above an earlier one; what is no mapping is replaced, a list as well."""

    class Layers(BaseSettings):
        tree: dict[Any, Any] = {}

        @classmethod
        def settings_customise_sources(
            cls, settings_cls: type[BaseSettings], *_: PydanticBaseSettingsSource, **__: PydanticBaseSettingsSource
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            """The layers, highest first, in place of environment variables, .env files and secrets."""
            return tuple(InitSettingsSource(settings_cls, {"tree": layer}) for layer in reversed(layers))

    return Layers().tree


def _with_places_beside(folder: Path, settings: Settings) -> Settings:
    """``settings`` with Spark's defaults and all models looked for beside the settings file, in ``folder``."""
    settings = _with_models_beside(folder, settings)
    also = tuple(_source_beside(folder, source) for source in settings.tune.also)
    tune = settings.tune.model_copy(update={"also": also})
    return settings.model_copy(update={"spark_conf": str((folder / settings.spark_conf).resolve()), "tune": tune})


def _with_models_beside(folder: Path, section: _Section) -> _Section:
    """``section`` with ``_source_beside`` of every model in it, however deep."""
    values = {name: getattr(section, name) for name in type(section).model_fields}
    update: dict[str, Any] = {
        name: _with_models_beside(folder, value) for name, value in values.items() if isinstance(value, BaseModel)
    }
    if isinstance(section, ModelSettings):
        update["source"] = _source_beside(folder, section.source)
    return section.model_copy(update=update)


def _source_beside(folder: Path, source: str) -> str:
    """A model's source; absolute where it is a relative folder that lies in ``folder`` and not where we run."""
    kind, _, path = source.partition(":")
    if kind in ("adapter", "path") and not Path(path).expanduser().exists() and (folder / path).exists():
        return f"{kind}:{(folder / path).resolve()}"
    return source


def _bad_input(error: ValidationError, conf: Path) -> BadInputError:
    """The first fault, with its own remedy where it has one."""
    fault = error.errors()[0]
    name = ".".join(str(part) for part in fault["loc"])
    remedy = f"Correct it in {conf} or in --set."
    if fault["type"] == "extra_forbidden":
        near = difflib.get_close_matches(name, _setting_names(Settings), n=1, cutoff=0.0)
        return BadInputError(f"unknown setting {name}; the nearest known one is {near[0]}.", remedy)
    message = fault["msg"]
    if fault["type"] == "tuple_type":  # in YAML there are lists only
        message = "Input should be a list"
        remedy = f"Write a list: --set '{name}=[{_items(fault['input'])}]', or the same brackets in {conf}."
    given = "" if fault["type"] == "missing" else f" (given: {fault['input']!r})"
    what = f"setting {name}: {message}{given}."
    return BadInputError(what, fault.get("ctx", {}).get("remedy", remedy))


def _items(value: object) -> str:
    """What stands between the brackets of the list that was meant by ``value``, in one line."""
    if value is None or isinstance(value, dict):
        return "..."
    return str(value) if str(value).isprintable() else json.dumps(str(value))


def _setting_names(section: type[BaseModel], prefix: str = "") -> list[str]:
    names = []
    for name, field in section.model_fields.items():
        names.append(prefix + name)
        types = [a for a in (field.annotation, *getattr(field.annotation, "__args__", ())) if isinstance(a, type)]
        for kind in types:
            if issubclass(kind, BaseModel):
                names += _setting_names(kind, f"{prefix}{name}.")
    return names
