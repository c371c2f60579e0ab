"""The ways in which V is asked and tuned: each remedy alone, and all of them together."""

from __future__ import annotations

import gc
import hashlib
import json
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from bench.asking import prompt_of
from bench.reading_figures import OWN, SHUFFLED
from bench.reading_rows import Row, Rows, others_reccots, snapshots
from trackrec.engines.chat import Chat
from trackrec.engines.interface import Request
from trackrec.engines.spec import EngineSpec
from trackrec.feedback.templates import ValidatorTemplate
from trackrec.feedback.validator import validator_settings
from trackrec.histories.templates import template_of
from trackrec.models.resolve import Model, resolve
from trackrec.runtime.events import Stage
from trackrec.runtime.settings import RecTuningSettings, Settings

Reads = Literal["reccot", "both"]


@dataclass(frozen=True)
class Way:
    """How V is asked and tuned; the defaults are the way of before."""

    reads: Reads = "both"
    offset: bool = False  # whether its log-odds begin at those of the user's and the item's shares
    reccots: int = 1  # RecCoTs, each of another user, an optimiser step
    more: bool = False  # events: --more-examples in place of --examples
    short_tail: bool = False


WAYS = {
    "as it was": Way(),
    "RecCoT in place of the history": Way(reads="reccot"),
    "fixed offset": Way(offset=True),
    "four users a step": Way(reccots=4),
    "3,000 events": Way(more=True),
    "short tail": Way(short_tail=True),
    "all together": Way("reccot", True, 4, True, True),
    "all together, and the history": Way("both", True, 4, True, True),
}
# What is read of every event, as it was: 17 tokens of SmolLM2 besides the item, where it is now 11.
_LONG_TAIL = {
    "target": "One of the {items} that this user met next, between <<< and >>>:\n<<<\n",
    "question": "Will this user like it? Answer Yes or No.",
}


def words_of(settings: Settings, reads: Reads, *, short_tail: bool) -> ValidatorTemplate:
    """V's words about these settings' histories."""
    tail = {} if short_tail else _LONG_TAIL
    return ValidatorTemplate(template_of(settings.prompt, settings.histories), reads, **tail)


def prompts(words: ValidatorTemplate, rows: Sequence[Row], reccots: Sequence[str]) -> list[str]:
    """V's prompt about each of ``rows``, shown the RecCoT that stands at its place."""
    end = "\n" if words.target.endswith("\n") else ""  # the long tail had the fence in lines of its own
    pairs = zip(rows, reccots, strict=True)
    return [prompt_of(words, row.history, reccot, f"{row.item}{end}") for row, reccot in pairs]


def measure(way: Way, settings: Settings, rows: Rows, count: int, folder: Path) -> dict[str, Any]:
    """V tuned in this way on the first ``count`` training rows: its log-odds of the hold-out by variant, and its costs.

    ``folder`` keeps the checkpoints of a training that is stopped.
    """
    raise NotImplementedError
