"""Does V read the RecCoT at all? V tuned in several ways, on RecCoTs that are true by construction.

python -m bench.reading                                     # SmolLM2-135M on 2 cores, MovieLens-100k: about 40 minutes
python -m bench.reading --only "as it is" --examples 4000   # one way, more steps

RecCoTs are those of the statistics teacher: what V does not gain from them it will gain from no G that learned them.
Each way is trained from the same base on the same events of the alignment window, and measured on the same later
events: with the RecCoT, without, and with the one of another user. Last line one JSON object.
"""

from __future__ import annotations

import argparse
import gc
import hashlib
import json
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from bench.asking import prompt_of
from trackrec.engines.chat import Chat
from trackrec.engines.interface import Request
from trackrec.engines.spec import EngineSpec
from trackrec.feedback import metrics
from trackrec.feedback.holdout import holdout_start_of
from trackrec.feedback.templates import ValidatorTemplate
from trackrec.feedback.validator import validator_settings
from trackrec.histories.shares import COLUMNS as SHARES
from trackrec.histories.templates import template_of
from trackrec.models.resolve import resolve
from trackrec.models.threads import use_threads
from trackrec.runtime.events import Stage
from trackrec.runtime.settings import RecTuningSettings, Settings
from trackrec.runtime.settings_files import load_settings
from trackrec.tables.lake import Lake
from trackrec.training.teachers.statistics import StatisticsTeacher

NOTHING = "nothing"


@dataclass(frozen=True)
class Row:
    """One event, with what was known of its user before it; ``key`` is the snapshot's, mixed."""

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
    """How V is asked and tuned."""

    history: bool = True  # whether the prompt shows it
    reccot: bool = True
    question_last: bool = True  # behind the item
    left_out: float = 0.0  # share of the RecCoTs that training does not show
    share: float = 1.0  # of the training rows


WAYS = {
    "as it is": Way(),
    "a tenth of the examples": Way(share=0.1),
    "question before the item": Way(question_last=False),
    "RecCoT left out of half": Way(left_out=0.5),
    "RecCoT in place of the history": Way(history=False),
    "history alone": Way(reccot=False),
}


def main() -> int:
    """Tune and measure V in each way and print the JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--users", type=int, help="by hash; default: all")
    parser.add_argument("--examples", type=int, default=1000)
    parser.add_argument("--events", type=int, default=12, help="next events of a RecCoT that V is tuned on")
    parser.add_argument("--holdout", type=int, default=400, help="events")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--learning-rate", type=float, default=RecTuningSettings().learning_rate)
    parser.add_argument("--batch-size", type=int, default=RecTuningSettings().batch_size, help="RecCoTs")
    parser.add_argument("--only", nargs="+", choices=list(WAYS))
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-reading-") as scratch:
        folder = Path(scratch)
        sets = [f"warehouse={folder}/warehouse", f"histories.max_users={args.users or 'null'}", f"log={folder}/log"]
        sets += ["histories.windows=[alignment]", "histories.every_n=20", f"tune.next_events={args.events}"]
        sets += [f"tune.learning_rate={args.learning_rate}", f"tune.batch_size={args.batch_size}"]
        settings = load_settings("conf/loop.yaml", sets)
        train, held = _rows(settings, args.examples, args.holdout, sets)
        use_threads(args.threads)
        events = [{"label": r.label, "user_id": r.user, "n_liked": r.n_liked, "n_events": r.n_events} for r in held]
        print(f"{len(train)} training rows, {len(held)} held out, of {len({row.user for row in held})} users")
        figures: dict[str, Any] = {"floors": metrics.floors(events)}
        print(metrics.quality_table(figures["floors"]), flush=True)
        for name in args.only or WAYS:
            figures[name] = _measure(WAYS[name], settings, train, held, folder / name.replace(" ", "-"))
            print(f"{name}\n{metrics.quality_table(figures[name]['validator'])}\n{figures[name]}", flush=True)
    print(json.dumps({"bench": "reading", "settings": vars(args), "ways": figures}))
    return 0


def _rows(settings: Settings, examples: int, events: int, sets: Sequence[str]) -> tuple[list[Row], list[Row]]:
    """(training rows, later rows) of the alignment window: whole snapshots in the order of a hash."""
    from jobs import build_histories
    from trackrec.histories.sources.cleaning import clean_items
    from trackrec.histories.sources.reader import read_sources
    from trackrec.runtime.session import spark_session

    flags = [part for text in sets for part in ("--set", text)]
    if build_histories.main(["--conf", "conf/loop.yaml", *flags]):
        raise SystemExit("build_histories failed")
    spark = spark_session(settings, "bench reading")
    titles = clean_items(read_sources(spark, settings).items, settings.histories.max_title_chars).good
    named = {row["item_id"]: (row["title"], row["attributes"] or ()) for row in titles.collect()}
    spark.stop()
    template, lake = template_of(settings.prompt, settings.histories), Lake(settings.warehouse)
    columns = ["user_id", "as_of", "prompt_key", "prompt_body", "n_liked", "n_events", *SHARES]
    histories = lake.read_columns("user_histories", columns).to_pylist()
    texts = StatisticsTeacher(template).write(histories)
    snapshots = {(one.history["user_id"], one.history["as_of"]): (one.history, one.text) for one in texts}
    columns = ["user_id", "as_of", "item_id", "event_time", "label", "window"]
    samples = [s for s in lake.read_columns("samples", columns).to_pylist() if s["window"] == "alignment"]
    start = holdout_start_of([s["event_time"] for s in samples], settings.feedback.holdout_share)
    train: list[Row] = []
    held: list[Row] = []
    for s in sorted(samples, key=lambda s: (s["event_time"], s["item_id"])):
        if (s["user_id"], s["as_of"]) not in snapshots:
            continue
        history, text = snapshots[s["user_id"], s["as_of"]]
        title, attributes = named.get(s["item_id"], (f"item {s['item_id']}", ()))
        item = f"{title} ({', '.join(attributes)})" if attributes else title
        key = hashlib.sha256(f"{s['user_id']} {s['as_of']}".encode()).hexdigest()
        read = (history["prompt_body"], text, item, history["n_liked"], history["n_events"])
        (held if s["event_time"] >= start else train).append(Row(key, s["user_id"], s["label"], *read))
    most = settings.tune.next_events
    return _flat(_snapshots(train, most))[:examples], _flat(_snapshots(held, most))[:events]


def _snapshots(rows: Sequence[Row], most: int) -> list[list[Row]]:
    """Rows of one snapshot together, at most ``most``, snapshots in the order of their keys."""
    ordered = sorted(rows, key=lambda row: row.key)  # stable: events of one snapshot stay in their order
    return [list(group)[:most] for _, group in groupby(ordered, key=lambda row: row.key)]


def _flat(groups: Iterable[Sequence[Row]]) -> list[Row]:
    return [row for group in groups for row in group]


def _measure(way: Way, settings: Settings, train: list[Row], held: list[Row], folder: Path) -> dict[str, Any]:
    from trackrec.models.lora import trainable
    from trackrec.training.answer_objective import AnswerGroup, answer_group, train_answers

    words = ValidatorTemplate(template_of(settings.prompt, settings.histories))
    chosen = validator_settings(settings)
    base = resolve(chosen.model, settings.cache_dir())
    chat = Chat(EngineSpec.for_validator(chosen, base))
    no_yes = chat.answers.tokens[::-1]

    def tokenised(group: Sequence[Row], reccot: Callable[[Row], str]) -> AnswerGroup:
        form = {"history": way.history, "question_last": way.question_last}
        texts = [prompt_of(words, row.history, reccot(row), row.item, **form) for row in group]
        ids = [chat.ids(Request("", text, "", 0)) for text in texts]
        return answer_group(group[0].key, ids, [no_yes[row.label] for row in group])

    def shown(i: int) -> Callable[[Row], str]:
        hidden = not way.reccot or (i % 100) / 100 < way.left_out
        return lambda row: NOTHING if hidden else row.reccot

    most = settings.tune.next_events
    groups = _snapshots(train[: round(way.share * len(train))], most)
    examples = [tokenised(group, shown(7 * i)) for i, group in enumerate(groups)]
    tuning = settings.tune
    model = trainable(base, chosen.dtype, tuning.lora, tuning.seed)
    began = time.perf_counter()
    steps = train_answers(model, examples, tuning, folder, Stage("reading"))
    seconds = time.perf_counter() - began
    ring = sorted({row.user for row in held}, key=lambda user: hashlib.sha256(user.encode()).hexdigest())
    others = dict(zip(ring, [*ring[1:], ring[0]], strict=True))
    reccots = {row.user: row.reccot for row in held}
    seen: dict[str, Callable[[Row], str]] = {"none": lambda _: NOTHING}
    if way.reccot:
        seen |= {"own": lambda row: row.reccot, "shuffled": lambda row: reccots[others[row.user]]}
    later = _snapshots(held, most)
    p = {
        name: _probabilities(model, [tokenised(group, reccot) for group in later], no_yes)
        for name, reccot in seen.items()
    }
    label, user = [row.label for row in _flat(later)], [row.user for row in _flat(later)]
    compared = metrics.differences(p, label, user, "own") if way.reccot else {}
    quarter = steps[-max(1, len(steps) // 4) :]
    del model
    gc.collect()
    return {
        "validator": {name: _rounded(metrics.quality(label, scores, user)) for name, scores in p.items()},
        "differences": {pair: _rounded(row) for pair, row in compared.items()},
        "seconds": round(seconds),
        "examples": sum(len(one.group.answers) for one in examples),
        "tokens": sum(one.group.tokens for one in examples),
        "unshared_tokens": sum(len(one.group.prompt) + len(a) for one in examples for a in one.group.answers),
        "first_loss": round(steps[0]["loss"], 3),
        "last_loss": round(sum(step["loss"] for step in quarter) / len(quarter), 3),
    }  # fmt: skip


def _probabilities(model: Any, groups: Sequence[Any], no_yes: Sequence[tuple[int, ...]]) -> list[float]:
    """p(Yes) of every event in turn."""
    import torch

    from trackrec.training.prefix import shared_logits
    from udfs.validate import probability

    (no,), (yes,) = no_yes
    p: list[float] = []
    with torch.no_grad():
        for one in groups:
            logits = shared_logits(model, one.group).float()
            p += [probability(odds) for odds in (logits[:, yes] - logits[:, no]).tolist()]
    return p


def _rounded(row: dict[str, float]) -> dict[str, float]:
    return {name: round(value, 4) for name, value in row.items()}


if __name__ == "__main__":
    raise SystemExit(main())
