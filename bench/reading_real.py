"""A real LLM as V, not tuned: its log-odds of Yes against No on the hold-out, alone and stacked on the offset."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.reading_figures import NONE, OWN, SHUFFLED
from bench.reading_offset import offsets_of
from bench.reading_rows import Rows, others_reccots
from bench.reading_ways import Reads, prompts, words_of
from bench.stacking import stacking_weight
from trackrec.engines.build import build_engine
from trackrec.engines.interface import Request
from trackrec.engines.pump import pump
from trackrec.engines.spec import EngineSpec, compute_of
from trackrec.feedback.offset import Offset
from trackrec.feedback.validator import validator_settings
from trackrec.models.resolve import resolve
from trackrec.runtime.errors import TrackrecError
from trackrec.runtime.settings import Settings
from trackrec.tables.keys import key_of_values

NOTHING = "nothing"
TUNING = "tuning"  # the variant of the rows that the weight is fitted on: their own RecCoTs


def ask_real(
    rows: Rows, offset: Offset, asked: Settings, real: Settings, reads: Reads, fitted: int, folder: Path
) -> dict[str, Any]:
    """Log-odds of the hold-out by the model of ``real``, shown each row's own RecCoT, another's and none.

    alone: the model's own; stacked: offset + weight · the model's + bias, these two fitted on the first ``fitted``
    training rows. ``asked`` are the settings that the prompts follow. Answers are kept in ``folder`` as they come, and
    none is asked for twice.
    """
    words = words_of(asked, reads, short_tail=True)
    train, held = list(rows.train[:fitted]), list(rows.held)
    texts = {
        TUNING: prompts(words, train, [row.reccot for row in train]),
        OWN: prompts(words, held, [row.reccot for row in held]),
        SHUFFLED: prompts(words, held, others_reccots(held)),
        NONE: prompts(words, held, [NOTHING] * len(held)),
    }
    found = _answers([text for of_variant in texts.values() for text in of_variant], real, folder)
    log_odds = {name: [found[text] for text in of_variant] for name, of_variant in texts.items()}
    learned = log_odds.pop(TUNING)
    weight, bias = stacking_weight(learned, offsets_of(train, offset), [row.label for row in train])
    start = offsets_of(held, offset)
    stacked = {
        name: [begun + weight * odds + bias for odds, begun in zip(scores, start, strict=True)]
        for name, scores in log_odds.items()
    }
    return {"alone": log_odds, "stacked": stacked, "weight": round(weight, 4), "bias": round(bias, 4)}


def _answers(texts: Sequence[str], real: Settings, folder: Path) -> dict[str, float]:
    """Prompt → log P(Yes) − log P(No), out of the model's file in ``folder``, which the missing ones are added to."""
    chosen = validator_settings(real)
    model = resolve(chosen.model, real.cache_dir())
    path = folder / f"{model.version}+{compute_of(chosen)}.jsonl"
    known = dict(_stored(path))
    keys = {text: key_of_values(text, *chosen.answers) for text in texts}
    missing = {key: text for text, key in keys.items() if key not in known}
    print(f"{len(texts)} prompts, of which {len(missing)} are new to {model.version}", flush=True)
    if missing:
        with path.open("a") as file:
            for key, odds in _asked(missing, EngineSpec.for_validator(chosen, model)):
                known[key] = odds
                file.write("\n" + json.dumps({"prompt": key, "log_odds": odds}))  # a cut line ends where it was cut
                file.flush()
    return {text: known[key] for text, key in keys.items()}


def _asked(missing: Mapping[str, str], spec: EngineSpec) -> Iterator[tuple[str, float]]:
    engine = build_engine(spec)
    requests = (Request(key, text, "", 0) for key, text in missing.items())
    try:
        for number, finished in enumerate(pump(iter([requests]), engine, lambda batch: batch, spec.high_water), 1):
            if finished.error is not None:
                raise TrackrecError(f"a prompt was not answered: {finished.error}", "Look at conf/real.yaml.")
            if number % 100 == 0:
                print(f"{number} of {len(missing)}", flush=True)
            yield finished.key, finished.scores[0] - finished.scores[1]
    finally:
        engine.close()


def _stored(path: Path) -> Iterator[tuple[str, float]]:
    if path.is_file():
        for line in path.read_text().splitlines():
            if line.endswith("}"):
                row = json.loads(line)
                yield row["prompt"], row["log_odds"]
