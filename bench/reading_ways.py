"""The ways in which V is asked and tuned: each remedy alone, and all of them together."""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from bench.asking import prompt_of
from bench.reading_figures import OWN, SHUFFLED
from bench.reading_offset import offsets_of, reading_offset
from bench.reading_rows import Row, Rows, others_reccots
from trackrec.engines.chat import Chat
from trackrec.engines.spec import EngineSpec
from trackrec.feedback.offset import Offset
from trackrec.feedback.templates import ValidatorTemplate
from trackrec.feedback.validator import validator_settings
from trackrec.histories.templates import template_of
from trackrec.models.resolve import Model, resolve
from trackrec.runtime.errors import BadInputError
from trackrec.runtime.events import Stage
from trackrec.runtime.settings import Settings, ValidatorSettings

if TYPE_CHECKING:
    from trackrec.training.answer_objective import AnswerGroup

Reads = Literal["reccot", "both"]


@dataclass(frozen=True)
class Way:
    """How V is asked and tuned; the defaults are the way of before."""

    reads: Reads = "both"
    offset: bool = False  # whether its log-odds begin at those of the user's and the item's shares
    reccots: int = 1  # RecCoTs, each of another user, an optimiser step
    more: bool = False  # events: --more-examples in place of --examples
    short_tail: bool = False
    reader: bool = False  # whether V learns a reader's probabilities in place of the labels


WAYS = {
    "as it was": Way(),
    "RecCoT in place of the history": Way(reads="reccot"),
    "fixed offset": Way(offset=True),
    "four users a step": Way(reccots=4),
    "3,000 events": Way(more=True),
    "short tail": Way(short_tail=True),
    "all together": Way("reccot", True, 4, True, True),
    "all together, and the history": Way("both", True, 4, True, True),
    "all together, a reader's targets": Way("reccot", True, 4, True, True, reader=True),
}
# What is read of every event, as it was: 17 tokens of SmolLM2 besides the item, where it is now 11.
_LONG_TAIL: dict[str, Any] = {
    "target": "One of the {items} that this user met next, between <<< and >>>:\n<<<\n",
    "question": "Will this user like it? Answer Yes or No.",
}


def words_of(settings: Settings, reads: Reads, *, short_tail: bool) -> ValidatorTemplate:
    """V's words about these settings' histories."""
    tail: dict[str, Any] = {} if short_tail else _LONG_TAIL
    return ValidatorTemplate(template_of(settings.prompt, settings.histories), reads, **tail)


def prompts(words: ValidatorTemplate, rows: Sequence[Row], reccots: Sequence[str]) -> list[str]:
    """V's prompt about each of ``rows``, shown the RecCoT that stands at its place."""
    end = "\n" if words.target.endswith("\n") else ""  # the long tail had the fence in lines of its own
    pairs = zip(rows, reccots, strict=True)
    return [prompt_of(words, row.history, reccot, f"{row.item}{end}") for row, reccot in pairs]


def measured(name: str, settings: Settings, rows: Rows, offset: Offset, count: int, folder: Path) -> dict[str, Any]:
    """``measure`` of the way ``name``, kept in ``folder`` under all that decides it and taken from there again."""
    way, chosen = WAYS[name], validator_settings(settings)
    words = words_of(settings, way.reads, short_tail=way.short_tail)
    version = resolve(chosen.model, settings.cache_dir()).version
    training = [settings.tune.model_dump(mode="json"), chosen.dtype, chosen.threads, version, words.version]
    decides = json.dumps([rows.digest, asdict(offset), asdict(way), count, training], sort_keys=True)
    path = folder / f"{name.replace(' ', '-')}-{hashlib.sha256(decides.encode()).hexdigest()[:12]}.json"
    if not path.is_file():
        found = measure(way, settings, rows, offset, count, path.with_suffix(""))
        scratch = path.with_suffix(".tmp")
        scratch.write_text(json.dumps(found))
        scratch.replace(path)
    kept: dict[str, Any] = json.loads(path.read_text())
    return kept


def measure(way: Way, settings: Settings, rows: Rows, offset: Offset, count: int, folder: Path) -> dict[str, Any]:
    """V tuned in this way on the first ``count`` training rows: its log-odds of the hold-out by variant, and its costs.

    ``folder`` keeps the checkpoints of a training that is stopped, and is removed behind it.
    """
    from trackrec.models.lora import trainable
    from trackrec.training.answer_objective import base_log_odds, train_answers
    from trackrec.training.group_loop import first_and_last

    chosen, stage = validator_settings(settings), Stage("reading")
    base = resolve(chosen.model, settings.cache_dir())
    asking = Asking(words_of(settings, way.reads, short_tail=way.short_tail), chosen, base)
    train, held = rows.train[:count], rows.held
    reader = reading_offset(train, offset) if way.reader else None
    groups = asking.groups(train, [row.reccot for row in train], offset if way.offset else None, reader)
    tuning = settings.tune.model_copy(update={"batch_size": way.reccots})
    model = trainable(base, chosen.dtype, tuning.lora, tuning.seed)
    began = time.perf_counter()
    leaning = base_log_odds(model, groups, stage) if way.offset else 0.0
    steps = train_answers(model, groups, tuning, folder, stage, leaning)
    seconds = time.perf_counter() - began
    start = [odds - leaning for odds in offsets_of(held, offset)] if way.offset else [0.0] * len(held)
    shown = {OWN: [row.reccot for row in held], SHUFFLED: others_reccots(held)}
    log_odds = {
        name: [a + b for a, b in zip(start, asking.log_odds(model, held, reccots, offset), strict=True)]
        for name, reccots in shown.items()
    }
    shutil.rmtree(folder, ignore_errors=True)
    return log_odds | {
        "seconds": round(seconds),
        "scoring_seconds": round(time.perf_counter() - began - seconds),
        "steps": len(steps),
        "events": sum(len(one.group.answers) for one in groups),
        "tokens": sum(one.group.tokens for one in groups),
        "unshared_tokens": sum(len(one.group.prompt) + len(a) for one in groups for a in one.group.answers),
        **first_and_last(steps, ("loss",)),
    }


class Asking:
    """V's prompts about rows as token ids, and a model's answers to them."""

    def __init__(self, words: ValidatorTemplate, chosen: ValidatorSettings, base: Model) -> None:
        self._words = words
        self._chat = Chat(EngineSpec.for_validator(chosen, base))

    def groups(
        self, rows: Sequence[Row], reccots: Sequence[str], offset: Offset | None, reader: Offset | None = None
    ) -> list[AnswerGroup]:
        """A group for each run of rows of one snapshot, shown its RecCoTs; rows stay in their order."""
        from trackrec.training.answer_tokens import answer_groups

        texts = prompts(self._words, rows, reccots)
        asked = [
            asdict(row) | {"row_key": row.snapshot, "prompt_body": text} for row, text in zip(rows, texts, strict=True)
        ]
        by_snapshot = [list(run) for _, run in groupby(asked, key=lambda one: one["snapshot"])]
        found = answer_groups(by_snapshot, self._chat, offset, reader)
        if sum(len(one.group.answers) for one in found) < len(rows):
            raise BadInputError("a prompt exceeds generator.max_model_len.", "Raise it in conf/loop.yaml.")
        return found

    def log_odds(self, model: Any, rows: Sequence[Row], reccots: Sequence[str], offset: Offset) -> list[float]:
        """log P(Yes) − log P(No) of each row by the LLM alone."""
        import torch

        from trackrec.training.answer_objective import log_odds
        from trackrec.training.group_loop import logps_function

        logps = logps_function(model, Stage("reading"))
        with torch.no_grad():
            by_group = [log_odds(model, one, logps) for one in self.groups(rows, reccots, offset)]
        return [float(odds) for of_group in by_group for odds in of_group]
