"""preferences → G_t: S-DPO on what V preferred, read from Delta by Arrow; no Spark."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from trackrec.engines.chat import Chat
from trackrec.engines.interface import Request
from trackrec.engines.spec import EngineSpec
from trackrec.feedback.judge import judge_of
from trackrec.histories.templates import template_of
from trackrec.models.registry import TrainedVersion
from trackrec.models.resolve import Model, resolve
from trackrec.reccots.requests import canonical
from trackrec.runtime.errors import BadInputError
from trackrec.runtime.settings import Settings
from trackrec.tables.lake import Lake

Row = Mapping[str, Any]


def align_generator(settings: Settings, lake: Lake, tell: Callable[[str], None] = print) -> TrainedVersion:
    """Train G's adapter on the preferences among its own candidates; a finished training is found, not repeated.

    Raises BadInputError where there are no preferences of this generator and sampling, or of several versions of V.
    """
    generator = resolve(settings.generator.model, settings.cache_dir())
    judge = None if settings.validator is None else judge_of(settings).version
    rows = preferences_of(lake, generator.version, canonical(settings.generator.sampling), judge)
    folder = Path(settings.models).resolve() / "generator" / _digest(generator, rows, settings)
    spec = EngineSpec.for_generator(
        settings.generator, generator, template_of(settings.prompt, settings.histories).opening
    )
    found, skipped = tokenised(rows, _bodies(lake, rows), Chat(spec), spec)
    if not found:
        raise BadInputError(
            f"table preferences: all {len(rows)} histories exceed generator.max_model_len {spec.max_model_len}.",
            "Raise it, or show less of a history.",
        )
    adapter, steps = _trained(settings, generator, found, folder, tell)
    metrics = {"groups": float(len(found)), "too_long": float(skipped), "steps": float(len(steps))}
    late = steps[-max(1, len(steps) // 4) :]  # the last step alone may hold one group
    for name in ("loss", "margin", "accuracy"):
        ended = sum(step[name] * step["groups"] for step in late) / sum(step["groups"] for step in late)
        metrics |= {f"first_{name}": steps[0][name], f"last_{name}": ended}
    data = {table: lake.open(table).version() for table in ("preferences", "user_histories")}
    return TrainedVersion(f"adapter:{adapter}", generator.version, data, metrics)


def preferences_of(lake: Lake, generator_version: str, sampling: str, judge: str | None) -> list[Row]:
    """The rows of ``preferences`` among this generator's candidates, in the order of their keys.

    ``judge``: the version of V that is meant; None where there is only one.
    """
    columns = ["prompt_key", "generator_version", "validator_version", "sampling", "chosen", "rejected"]
    rows: list[Row] = lake.read_columns("preferences", columns).to_pylist()
    ours = [r for r in rows if r["generator_version"] == generator_version and r["sampling"] == sampling]
    ours = [r for r in ours if judge in (None, r["validator_version"])]
    judges = sorted({row["validator_version"] for row in ours})
    if len(judges) != 1:
        raise BadInputError(
            f"table preferences holds {len(ours)} rows of generator {generator_version} and this sampling, "
            f"judged by {' and '.join(judges) or judge or 'nobody'}.",
            "Run jobs/validate_reccot.py with the same settings, or say which V is meant by validator.model.",
        )
    return sorted(ours, key=lambda row: str(row["prompt_key"]))


def tokenised(rows: Sequence[Row], bodies: Mapping[str, str], chat: Chat, spec: EngineSpec) -> tuple[list[Any], int]:
    """(preferences as token ids, number of histories too long for the context), in the order of ``rows``.

    A candidate's tokens are those behind the prompt and the opening; the end token is among them where G stopped by
    itself, so that G learns to stop.
    """
    from trackrec.training.prefix import Group
    from trackrec.training.sdpo_objective import Preference

    end = chat.tokenizer.eos_token_id
    found, skipped = [], 0
    for row in rows:
        prompt = chat.ids(Request("", bodies[row["prompt_key"]], spec.opening, 0))
        answers = []
        for candidate in (row["chosen"], *row["rejected"]):
            text = candidate["text"].removeprefix(spec.opening)
            ids = chat.tokenizer(text, add_special_tokens=False)["input_ids"]
            answers.append((*ids, end) if candidate["ended"] else tuple(ids))
        if len(prompt) + max(map(len, answers)) > spec.max_model_len:
            skipped += 1
        else:
            found.append(Preference(row["prompt_key"], Group(tuple(prompt), tuple(answers))))
    return found, skipped


def _bodies(lake: Lake, rows: Sequence[Row]) -> dict[str, str]:
    wanted = {row["prompt_key"] for row in rows}
    table = lake.read_columns("user_histories", ["prompt_key", "prompt_body"])
    pairs = zip(table["prompt_key"].to_pylist(), table["prompt_body"].to_pylist(), strict=True)
    return {key: body for key, body in pairs if key in wanted}


def _trained(
    settings: Settings, generator: Model, found: Sequence[Any], folder: Path, tell: Callable[[str], None]
) -> tuple[Path, list[dict[str, float]]]:
    from trackrec.training.group_loop import steps_of, train_adapter
    from trackrec.training.sdpo_objective import align

    def work(model: Any, place: Path) -> None:
        align(model, found, settings.align, place, tell)

    adapter = train_adapter(generator, settings.generator.dtype, settings.align, folder, work)
    return adapter, steps_of(folder / "training")


def _digest(generator: Model, rows: Sequence[Row], settings: Settings) -> str:
    """16 hex digits over everything that decides the adapter."""
    told = [[r["prompt_key"], r["chosen"], r["rejected"]] for r in rows]
    decides = [generator.version, settings.generator.dtype, settings.align.model_dump(mode="json"), told]
    return hashlib.sha256(json.dumps(decides, sort_keys=True).encode()).hexdigest()[:16]
