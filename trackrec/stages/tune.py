"""rec_tuning → V_t: the answers learned behind (history, RecCoT, item), RecCoT by RecCoT; no Spark."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from trackrec.engines.chat import Chat
from trackrec.engines.interface import Request
from trackrec.engines.spec import EngineSpec
from trackrec.feedback.templates import ValidatorTemplate
from trackrec.histories.templates import template_of
from trackrec.models.registry import TrainedVersion
from trackrec.models.resolve import Model, base_model, resolve
from trackrec.reccots.requests import canonical
from trackrec.runtime.errors import BadInputError
from trackrec.runtime.settings import Settings, ValidatorSettings
from trackrec.tables.lake import Lake

Row = Mapping[str, Any]
_COLUMNS = ["row_key", "item_id", "event_time", "template_version", "generator_version", "sampling", "label"]


def tune_validator(
    settings: Settings, chosen: ValidatorSettings, lake: Lake, tell: Callable[[str], None] = print
) -> TrainedVersion:
    """Tune V's base, from scratch each round, on the rows of this generator.

    A finished training is found, not repeated; a killed one goes on. The loss is on the answer only. Raises
    BadInputError without rows, or where all have one label.
    """
    template = ValidatorTemplate(template_of(settings.prompt, settings.histories), answers=chosen.answers)
    base = base_model(resolve(chosen.model, settings.cache_dir()))
    groups = groups_of(lake, settings, template)
    rows = [row for group in groups for row in group]
    liked = sum(row["label"] for row in rows)
    if liked in (0, len(rows)):
        raise BadInputError(
            f"table rec_tuning: all {len(rows)} rows of this generator and template have one label.",
            "Look at source.like_threshold, or show V more users (feedback.validator_share).",
        )
    asked = tokenised(groups, Chat(EngineSpec.for_validator(chosen, base)))
    examples = sum(len(one.group.answers) for one in asked)
    if not asked:
        raise BadInputError(
            f"table rec_tuning: all {len(rows)} prompts exceed validator.max_model_len {chosen.max_model_len}.",
            "Raise it, or show less of a history.",
        )
    folder = Path(settings.models).resolve() / "validator" / _digest(base, chosen, template, rows, settings)
    adapter, steps = _trained(settings, chosen, base, asked, folder, tell)
    late = steps[-max(1, len(steps) // 4) :]  # a step is a few RecCoTs: one alone says little
    metrics = {
        "reccots": len(asked),
        "examples": examples,
        "too_long": len(rows) - examples,
        "share_liked": liked / len(rows),
        "steps": len(steps),
        "first_loss": steps[0]["loss"],
        "last_loss": sum(step["loss"] for step in late) / len(late),
    }
    return TrainedVersion(
        f"adapter:{adapter}", base.version, {"rec_tuning": lake.open("rec_tuning").version()}, metrics
    )


def groups_of(lake: Lake, settings: Settings, template: ValidatorTemplate) -> list[list[Row]]:
    """The rows that V is tuned on, RecCoT by RecCoT in the order of their keys, which mixes users and times.

    Of each RecCoT the first ``tune.next_events`` rows by time; as many RecCoTs as stay within ``tune.max_examples``.
    """
    generator = resolve(settings.generator.model, settings.cache_dir())
    rows: list[Row] = lake.read_columns("rec_tuning", [*_COLUMNS, "prompt_body"]).to_pylist()
    wanted = (generator.version, canonical(settings.generator.sampling), template.version)
    ours: dict[str, list[Row]] = {}
    for row in sorted(rows, key=lambda row: (row["row_key"], row["event_time"], row["item_id"])):
        if (row["generator_version"], row["sampling"], row["template_version"]) == wanted:
            ours.setdefault(row["row_key"], []).append(row)
    if not ours:
        raise BadInputError(
            f"table rec_tuning has no row of generator {generator.version} with this sampling.",
            "Run jobs/generate_reccot.py with the same settings first.",
        )
    groups = [group[: settings.tune.next_events] for group in ours.values()]
    return groups if settings.tune.max_examples is None else _first(groups, settings.tune.max_examples)


def _first(groups: Sequence[list[Row]], count: int) -> list[list[Row]]:
    """The first groups with ``count`` rows in all; the last one is cut."""
    found: list[list[Row]] = []
    for group in groups:
        left = count - sum(map(len, found))
        if left <= 0:
            break
        found.append(group[:left])
    return found


def tokenised(groups: Sequence[Sequence[Row]], chat: Chat) -> list[Any]:
    """The groups as ``tuning.Asked``, without the prompts that are too long for the context."""
    from trackrec.training.answer_objective import asked_of

    yes, no = chat.answers.tokens
    found = []
    for group in groups:
        prompts = [chat.ids(Request("", row["prompt_body"], "", 0)) for row in group]
        fitting = [i for i, ids in enumerate(prompts) if chat.fault(ids) is None]
        if fitting:
            answers = [yes if group[i]["label"] else no for i in fitting]
            found.append(asked_of(group[0]["row_key"], [prompts[i] for i in fitting], answers))
    return found


def _trained(
    settings: Settings,
    chosen: ValidatorSettings,
    base: Model,
    asked: Sequence[Any],
    folder: Path,
    tell: Callable[[str], None],
) -> tuple[Path, list[dict[str, float]]]:
    from trackrec.training.answer_objective import tune
    from trackrec.training.group_loop import steps_of, train_adapter

    def work(model: Any, place: Path) -> None:
        tune(model, asked, settings.tune, place, tell)

    return train_adapter(base, chosen.dtype, settings.tune, folder, work), steps_of(folder / "training")


def _digest(
    base: Model, chosen: ValidatorSettings, template: ValidatorTemplate, rows: Sequence[Row], settings: Settings
) -> str:
    """16 hex digits over everything that decides the adapter."""
    told = [[row[name] for name in ("row_key", "item_id", "label")] for row in rows]
    tuning = settings.tune.model_dump(mode="json")
    decides = [base.version, chosen.dtype, chosen.answers, tuning, template.version, told]
    return hashlib.sha256(json.dumps(decides, sort_keys=True).encode()).hexdigest()[:16]
