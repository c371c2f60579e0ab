"""Does V read the RecCoT at all? V tuned in several ways, on RecCoTs that are true by construction.

python -m bench.reading                                     # SmolLM2-135M on 2 cores, MovieLens-100k: about 40 minutes
python -m bench.reading --only "as it is" --examples 1600   # one way, more steps

RecCoTs are those of the statistics teacher: what V does not gain from them it will gain from no G that learned them.
Each way of asking is trained from the same base on the same rows of the alignment window, and measured on the same
later events: with the RecCoT, without, and with the one of another user. Last line one JSON object.
"""

from __future__ import annotations

import argparse
import gc
import hashlib
import json
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bench.asking import answered, prompt_of
from trackrec import holdout
from trackrec.config import Settings, TuningSettings
from trackrec.config_files import load_settings
from trackrec.engines.base import EngineSpec, Request, build_engine
from trackrec.engines.chat import Chat
from trackrec.lake import Lake
from trackrec.models import resolve_model
from trackrec.prompts import ValidatorTemplate, template_of
from trackrec.splits import holdout_start_of
from trackrec.supervised import Example, fine_tune
from trackrec.teachers.statistics import StatisticsTeacher
from trackrec.threads import use_threads
from trackrec.validator import validator_settings

NOTHING = "nothing"


@dataclass(frozen=True)
class Row:
    """One event, with what was known of its user before it."""

    key: str
    user: str
    label: int
    history: str
    reccot: str
    item: str
    n_liked: int
    n_events: int


@dataclass(frozen=True)
class Way:
    """How V is asked and tuned: the blocks of its prompt in order, and of how many rows the RecCoT is left out."""

    blocks: tuple[str, ...] = ("history", "reccot", "item")
    left_out: float = 0.0  # share of the training rows that show no RecCoT
    batch_size: int = 8


WAYS = {
    "as it is": Way(),
    "smaller batches": Way(batch_size=2),
    "RecCoT left out of half": Way(batch_size=2, left_out=0.5),
    "RecCoT behind the item": Way(("history", "item", "reccot"), batch_size=2),
    "RecCoT in place of the history": Way(("reccot", "item"), batch_size=2),
    "history alone": Way(("history", "item"), batch_size=2),
}


def main() -> int:
    """Tune and measure V in each way and print the JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--users", type=int, default=300)
    parser.add_argument("--examples", type=int, default=400)
    parser.add_argument("--holdout", type=int, default=500, help="events")
    parser.add_argument("--only", nargs="+", choices=list(WAYS))
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-reading-") as scratch:
        folder = Path(scratch)
        sets = [f"warehouse={folder}/warehouse", f"histories.max_users={args.users}", f"log={folder}/log"]
        sets += ["histories.windows=[alignment]"]
        settings = load_settings("conf/loop.yaml", sets)
        train, held = _rows(settings, args.examples, args.holdout, sets)
        use_threads(settings.generator.threads)
        known = [{"label": r.label, "user_id": r.user, "n_liked": r.n_liked, "n_events": r.n_events} for r in held]
        found: dict[str, Any] = {"floors": holdout.floors(known)}
        print(holdout.table(found["floors"]), flush=True)
        for name in args.only or WAYS:
            found[name] = _measure(WAYS[name], settings, train, held, folder / name.replace(" ", "-"))
            print(f"{name}\n{holdout.table(found[name]['validator'])}\n{found[name]['differences']}", flush=True)
    print(json.dumps({"bench": "reading", "settings": vars(args), "ways": found}))
    return 0


def _rows(settings: Settings, examples: int, events: int, sets: Sequence[str]) -> tuple[list[Row], list[Row]]:
    """(training rows, later rows) of the alignment window, each chosen by hash."""
    from jobs import build_histories
    from trackrec.session import spark_session
    from trackrec.sources.cleaning import clean_items
    from trackrec.sources.reader import read_sources

    flags = [part for text in sets for part in ("--set", text)]
    if build_histories.main(["--conf", "conf/loop.yaml", *flags]):
        raise SystemExit("build_histories failed")
    spark = spark_session(settings, "bench reading")
    titles = clean_items(read_sources(spark, settings).items, settings.histories.max_title_chars).good
    named = {row["item_id"]: (row["title"], row["attributes"] or ()) for row in titles.collect()}
    spark.stop()
    template, lake = template_of(settings.prompt, settings.histories), Lake(settings.warehouse)
    columns = ["user_id", "as_of", "prompt_key", "prompt_body", "liked", "disliked", "tallies", "n_liked", "n_events"]
    histories = lake.read_columns("user_histories", columns).to_pylist()
    taught = StatisticsTeacher(template).teach(histories)
    known = {(one.row["user_id"], one.row["as_of"]): (one.row, one.text) for one in taught}
    told = ["user_id", "as_of", "item_id", "event_time", "label", "window"]
    samples = [s for s in lake.read_columns("samples", told).to_pylist() if s["window"] == "alignment"]
    start = holdout_start_of([s["event_time"] for s in samples], settings.feedback.holdout_share)
    train: list[Row] = []
    held: list[Row] = []
    for s in samples:
        if (s["user_id"], s["as_of"]) not in known:
            continue
        history, text = known[s["user_id"], s["as_of"]]
        title, attributes = named.get(s["item_id"], (f"item {s['item_id']}", ()))
        item = f"{title} ({', '.join(attributes)})" if attributes else title
        key = hashlib.sha256(f"{s['user_id']} {s['item_id']}".encode()).hexdigest()
        told_of = (history["prompt_body"], text, item, history["n_liked"], history["n_events"])
        (held if s["event_time"] >= start else train).append(Row(key, s["user_id"], s["label"], *told_of))
    train.sort(key=lambda row: row.key)
    held.sort(key=lambda row: row.key)
    return train[:examples], held[:events]


def _measure(way: Way, settings: Settings, train: list[Row], held: list[Row], folder: Path) -> dict[str, Any]:
    words = ValidatorTemplate(template_of(settings.prompt, settings.histories))
    chosen = validator_settings(settings)
    base = resolve_model(chosen.model.source, settings.cache_dir())
    chat = Chat(EngineSpec.judging(chosen, base))
    no_yes = chat.answers.tokens[::-1]
    examples = []
    for i, row in enumerate(train):
        shown = NOTHING if (i % 100) / 100 < way.left_out else row.reccot
        ids = chat.ids(Request("", prompt_of(words, row.history, shown, row.item, way.blocks), "", 0))
        examples.append(Example(tuple(ids), no_yes[row.label]))
    tuning = TuningSettings(batch_size=way.batch_size)
    began = time.perf_counter()
    steps = fine_tune(base, examples, tuning, folder, dtype=chosen.dtype, tell=lambda _: None)
    seconds = time.perf_counter() - began
    gc.collect()
    model = resolve_model(f"adapter:{folder}", settings.cache_dir())
    ring = sorted({row.user for row in held}, key=lambda user: hashlib.sha256(user.encode()).hexdigest())
    others = dict(zip(ring, [*ring[1:], ring[0]], strict=True))
    theirs = {row.user: row.reccot for row in held}
    seen: Mapping[str, Callable[[Row], str]] = {
        "none": lambda _: NOTHING,
        "own": lambda row: row.reccot,
        "shuffled": lambda row: theirs[others[row.user]],
    }
    prompts = {
        name: [prompt_of(words, row.history, told(row), row.item, way.blocks) for row in held]
        for name, told in seen.items()
    }
    p = _judged(replace(EngineSpec.judging(chosen, model), kv_cache_gb=1), prompts)
    label, user = [row.label for row in held], [row.user for row in held]
    return {
        "validator": {name: _rounded(holdout.quality(label, scores, user)) for name, scores in p.items()},
        "differences": {
            pair: _rounded(row) for pair, row in holdout.differences(p, label, user, "own").items()
        },
        "seconds": round(seconds),
        "tokens": sum(len(e.prompt) for e in examples) // len(examples),
        "first_loss": round(steps["first_loss"], 3),
        "last_loss": round(steps["last_loss"], 3),
    }  # fmt: skip


def _judged(spec: EngineSpec, prompts: Mapping[str, Sequence[str]]) -> dict[str, list[float]]:
    """p(Yes) of every prompt, variant by variant."""
    from udfs.validate import probability

    engine = build_engine(spec)
    asked = [Request(f"{name} {i}", text, "", 0) for name, texts in prompts.items() for i, text in enumerate(texts)]
    found: dict[str, list[float]] = {name: [0.5] * len(texts) for name, texts in prompts.items()}
    for finished in answered(engine, asked):
        name, _, i = finished.key.rpartition(" ")
        found[name][int(i)] = probability(finished.scores[0] - finished.scores[1])
    engine.close()
    return found


def _rounded(row: Mapping[str, float]) -> dict[str, float]:
    return {name: round(value, 4) for name, value in row.items()}


if __name__ == "__main__":
    raise SystemExit(main())
