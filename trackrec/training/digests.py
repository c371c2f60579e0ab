"""The names of trainings: 16 hex digits over everything that decides an adapter, by which a finished one is found.

They are names of folders that stay for years: tests/unit/test_digests.py holds each to a value from before. A
``row_key`` in them is the earlier one, which no change of the keys' making changes (``earlier_keys``).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Sequence
from typing import Any

from trackrec.feedback.offset import COUNTS, NAMED
from trackrec.runtime.settings import AlignmentSettings, DistillSettings, RecTuningSettings, Section
from trackrec.tables.lake import Row

# Settings that came later: a training with their defaults was made before there were any, and keeps its name.
_LATER = ("bfloat16_products", "by_length", "length_normalised", "sft_weight", "targets")


def alignment_digest(
    generator_version: str, dtype: str, settings: AlignmentSettings, preferences: Sequence[Row]
) -> str:
    """The name of an S-DPO training of a generator on rows of ``preferences`` (prompt_key, chosen, rejected)."""
    examples = [[row["prompt_key"], row["chosen"], row["rejected"]] for row in preferences]
    return _digest([generator_version, dtype, _named(settings), examples])


def rec_tuning_digest(
    base_version: str,
    dtype: str,
    answers: tuple[str, str],
    settings: RecTuningSettings,
    template_version: str,
    rows: Sequence[Row],
    strength: float | None = None,
    *,
    reads: bool = False,
) -> str:
    """The name of a Rec-tuning of ``base_version``, V's base or an earlier V, on rows of ``rec_tuning``.

    ``rows``: row_key, item_id, label; where V has an offset, its ``strength`` and the rows' ``offset.COUNTS``, too, and
    where that ``reads``, or V learns a reader's probabilities, ``offset.NAMED``. ``dtype``: also that no LLM is tuned.

    The prompts are left out, as they always were: ``prompts_file`` tells trainings on corrected ones apart. So are the
    settings of which rows they are: the rows themselves are in.
    """
    training = _named(settings, without={"candidates", "also", "start"})
    examples = [[row[name] for name in ("row_key", "item_id", "label")] for row in rows]
    offset = [] if strength is None else [strength, [[row[name] for name in COUNTS] for row in rows]]
    read = [[row[name] for name in NAMED] for row in rows] if reads or settings.targets == "reader" else []
    return _digest([base_version, dtype, answers, training, template_version, examples, *offset, *read])


def distillation_digest(
    base_version: str,
    dtype: str,
    settings: DistillSettings,
    template_version: str,
    prompt_keys: Sequence[str],
    texts: Sequence[str],
) -> str:
    """The name of a distillation of G's base on a teacher's ``texts`` about the histories ``prompt_keys``."""
    # Who wrote the texts is left out: the texts themselves are in.
    training = _named(settings, without={"teacher", "model", "endpoint"})
    return _digest([[base_version, dtype, training, template_version], list(prompt_keys), list(texts)])


def _named(settings: Section, without: Collection[str] = ()) -> dict[str, Any]:
    """The settings that name a training: none of ``without``, and what came later only where it is not the default."""
    fields = type(settings).model_fields
    defaults = {name for name in _LATER if name in fields and getattr(settings, name) == fields[name].default}
    return settings.model_dump(mode="json", exclude=defaults | {*without})


def _digest(parts: list[Any]) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]
