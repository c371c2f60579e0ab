"""rec_tuning → V_t: the answer token learned behind (history, RecCoT, item); no Spark."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from trackrec.config import Settings, ValidatorSettings
from trackrec.engines.base import EngineSpec, Request
from trackrec.engines.chat import Chat
from trackrec.errors import BadInputError
from trackrec.generation import canonical
from trackrec.lake import Lake
from trackrec.models import base_model, resolve_model
from trackrec.prompts import ValidatorTemplate, template_of
from trackrec.supervised import Example, fine_tune
from trackrec.versions import Made

Row = Mapping[str, Any]
_COLUMNS = ["row_key", "item_id", "event_time", "template_version", "generator_version", "sampling", "label"]


def tune_validator(
    settings: Settings, chosen: ValidatorSettings, lake: Lake, tell: Callable[[str], None] = print
) -> Made:
    """Tune V's base, from scratch each round, on the rows of this generator; a finished training is found.

    The loss is on the answer only. Raises BadInputError without rows, or where all have one label.
    """
    template = ValidatorTemplate(template_of(settings.prompt, settings.histories), answers=chosen.answers)
    base = base_model(resolve_model(chosen.model.source, settings.cache_dir(), chosen.model.sha256))
    rows = rows_of(lake, settings, template)
    liked = sum(row["label"] for row in rows)
    if liked in (0, len(rows)):
        raise BadInputError(
            f"table rec_tuning: all {len(rows)} rows of this generator and template have one label.",
            "Look at source.like_threshold, or show V more users (feedback.validator_share).",
        )
    chat = Chat(EngineSpec.judging(chosen, base))
    yes, no = chat.answers.tokens
    examples, too_long = [], 0
    for row in rows:
        ids = chat.ids(Request("", row["prompt_body"], "", 0))
        if chat.fault(ids):
            too_long += 1
        else:
            examples.append(Example(tuple(ids), yes if row["label"] else no))
    told = [[row[name] for name in ("row_key", "item_id", "label")] for row in rows]
    decides = [
        base.version,
        chosen.dtype,
        chosen.answers,
        settings.tune.model_dump(mode="json"),
        template.version,
        told,
    ]
    name = hashlib.sha256(json.dumps(decides, sort_keys=True).encode()).hexdigest()[:16]
    folder = Path(settings.models).resolve() / "validator" / name / "adapter"
    metrics = fine_tune(base, examples, settings.tune, folder, dtype=chosen.dtype, tell=tell)
    metrics |= {"share_liked": liked / len(rows), "too_long": too_long}
    return Made(f"adapter:{folder}", base.version, {"rec_tuning": lake.open("rec_tuning").version()}, metrics)


def rows_of(lake: Lake, settings: Settings, template: ValidatorTemplate) -> list[Row]:
    """The rows that V is tuned on, at most ``tune.max_examples``, in the order of a hash that mixes users and times."""
    generator = resolve_model(settings.generator.model.source, settings.cache_dir(), settings.generator.model.sha256)
    rows: list[Row] = lake.read_columns("rec_tuning", [*_COLUMNS, "prompt_body"]).to_pylist()
    wanted = (generator.version, canonical(settings.generator.sampling), template.version)
    ours = [r for r in rows if (r["generator_version"], r["sampling"], r["template_version"]) == wanted]
    if not ours:
        raise BadInputError(
            f"table rec_tuning has no row of generator {generator.version} with this sampling.",
            "Run jobs/generate_reccot.py with the same settings first.",
        )
    return sorted(ours, key=_mixed)[: settings.tune.max_examples]


def _mixed(row: Row) -> str:
    return hashlib.sha256(f"{row['row_key']} {row['item_id']} {row['event_time']}".encode()).hexdigest()
