"""teacher_reccots → G_0: G's base tuned on what a teacher writes about a few users; no Spark."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from trackrec.engines.chat import Chat
from trackrec.engines.interface import Request
from trackrec.engines.spec import EngineSpec
from trackrec.feedback.user_split import holdout_start_of, in_share
from trackrec.histories.templates import Template, template_of
from trackrec.models.registry import TrainedVersion
from trackrec.models.resolve import resolve
from trackrec.runtime.ledger import Run
from trackrec.runtime.settings import Settings
from trackrec.tables.lake import Lake
from trackrec.training.sft import Example, fine_tune
from trackrec.training.teachers.texts import taught_texts, teacher_of

Row = Mapping[str, Any]
_COLUMNS = ["user_id", "as_of", "prompt_key", "template_version", "prompt_body"]
_SHOWN = ["liked", "disliked", "tallies", "n_liked", "n_events"]


def distill_generator(run: Run, lake: Lake, tell: Callable[[str], None] = print) -> TrainedVersion:
    """Tune G on the teacher's RecCoTs of ``distill.share`` of the users it is judged on; found, not repeated.

    Only histories of the alignment window before its hold-out are taken. Raises BadInputError where there are none, or
    where the teacher cannot be used.
    """
    settings = run.settings
    base = resolve(settings.generator.model, settings.cache_dir())
    template = template_of(settings.prompt, settings.histories)
    wanted = histories_to_teach(lake, settings, template)
    written = taught_texts(run, lake, wanted, teacher_of(settings.distill, template), tell)
    taught = [row for row in wanted if row["prompt_key"] in written]
    texts = [written[row["prompt_key"]] for row in taught]
    chat = Chat(EngineSpec.for_generator(settings.generator, base, template.opening))
    end = chat.tokenizer.eos_token_id
    examples = []
    for row, text in zip(taught, texts, strict=True):
        prompt = chat.ids(Request("", row["prompt_body"], template.opening, 0))
        answer = chat.tokenizer(text.removeprefix(template.opening), add_special_tokens=False)["input_ids"]
        examples.append(Example(tuple(prompt), (*answer, end)))
    tuning = settings.distill.model_dump(mode="json", exclude={"teacher", "endpoint"})  # of these the texts tell
    decides = [base.version, settings.generator.dtype, tuning, template.version]
    told = json.dumps([decides, [row["prompt_key"] for row in taught], texts], sort_keys=True)
    name = hashlib.sha256(told.encode()).hexdigest()[:16]
    folder = Path(settings.models).resolve() / "generator" / name / "adapter"
    metrics = fine_tune(base, examples, settings.distill, folder, dtype=settings.generator.dtype, tell=tell)
    metrics["users"] = len({row["user_id"] for row in taught})
    data = {name: lake.open(name).version() for name in ("user_histories", "teacher_reccots")}
    return TrainedVersion(f"adapter:{folder}", base.version, data, metrics)


def histories_to_teach(lake: Lake, settings: Settings, template: Template) -> list[Row]:
    """The histories that the teacher writes about, in the order of a hash, at most ``distill.max_examples``."""
    samples = lake.read_columns("samples", ["event_time", "window"]).to_pylist()
    times = [row["event_time"] for row in samples if row["window"] == "alignment"]
    before = holdout_start_of(times, settings.feedback.holdout_share)
    rows: list[Row] = lake.read_columns("user_histories", [*_COLUMNS, *_SHOWN]).to_pylist()
    ours = [
        row
        for row in rows
        if row["template_version"] == template.version
        and row["as_of"] < before
        and not in_share(row["user_id"], settings.feedback.validator_share)
        and in_share(row["user_id"], settings.distill.share, salt="trackrec distillation")
    ]
    return sorted(ours, key=lambda row: str(row["prompt_key"]))[: settings.distill.max_examples]
