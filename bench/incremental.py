"""What a night costs in which one user in a hundred has news, against the first one, and as the log grows.

python -m bench.incremental                 # 100,000 users, 20 events each, then 40: 2 cores, about 20 minutes
python -m bench.incremental --users 10000   # minutes

For each length of the log a warehouse of its own: a first night of all users, a second one before which 1 % of them met
one more item. G is scripted and the encoder has one layer, so what stays is the pipeline's own work; with real models
the shares are smaller. Wall times are of whole ``jobs.nightly`` processes, Spark's start included. tokens_share: tokens
of G in the second night over the first's; wall_share likewise, growth: second night at twice the length over the same
at once, both by wall time. Exit code 1 where a bound is missed.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from bench.nights import ledger_counts
from trackrec.models.resolve import resolve
from trackrec.runtime.settings_files import load_settings

BOUNDS = {"tokens_share": 0.02, "wall_share": 0.15, "growth": 1.3}
CHANGED = 0.01  # of the users
_ITEMS = 5_000
_NIGHTS = (pd.Timestamp("2024-12-01", tz="UTC"), pd.Timestamp("2024-12-02", tz="UTC"))
_VECTOR = 32  # floats of the small encoder


def main() -> int:
    """Run both nights at both lengths and print the JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--users", type=int, default=100_000)
    parser.add_argument("--events", type=int, default=20, help="events a user of the shorter log, on average")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-incremental-") as scratch:
        encoder = small_encoder(Path(scratch) / "encoder")
        lengths = [
            _two_nights(Path(scratch) / str(length), encoder, arguments.users, length * arguments.events)
            for length in (1, 2)
        ]
    (full, second), (_, longer) = lengths
    line = {
        "bench": "incremental",
        "tokens_share": round(second["tokens"] / full["tokens"], 4),
        "wall_share": round(second["seconds"] / full["seconds"], 3),
        "growth": round(longer["seconds"] / second["seconds"], 2),
        "users": arguments.users,
        "nights": lengths,
    }
    print(json.dumps(line))
    return int(any(line[name] > bound for name, bound in BOUNDS.items()))


def _two_nights(folder: Path, encoder: Path, users: int, events: int) -> list[dict[str, Any]]:
    dice = np.random.default_rng(events)
    log = folder / "events"
    log.mkdir(parents=True)
    write_events(log / "first.parquet", dice, dice.integers(0, users, users * events), before=_NIGHTS[0], days=365)
    items = [{"item_id": f"i{n}", "title": f"Title {n}", "attributes": [f"Genre {n % 18}"]} for n in range(_ITEMS)]
    pd.DataFrame(items).to_parquet(folder / "items.parquet", index=False)
    conf = write_conf(folder, encoder)
    figures = [night(conf, _NIGHTS[0], f"{events} events a user, first night")]
    with_news = dice.choice(users, int(users * CHANGED), replace=False)
    write_events(log / "second.parquet", dice, with_news, before=_NIGHTS[1], days=1)
    return [*figures, night(conf, _NIGHTS[1], f"{events} events a user, 1 % with news")]


def write_events(file: Path, dice: np.random.Generator, users: Any, before: pd.Timestamp, days: int) -> None:
    """One event for each of ``users``, within so many ``days`` before the night."""
    ago = dice.integers(1, days * 24 * 3600, len(users))
    events = pd.DataFrame(
        {
            "user_id": pd.Series(users).map("u{}".format),
            "item_id": pd.Series(dice.integers(0, _ITEMS, len(users))).map("i{}".format),
            "event_time": before - pd.to_timedelta(ago, unit="s"),
            "label": dice.integers(0, 2, len(users)).astype("int32"),
        }
    )
    events.to_parquet(file, index=False, coerce_timestamps="us", allow_truncated_timestamps=True)


def small_encoder(folder: Path) -> Path:
    """A sentence encoder of one layer and 32 floats, its weights drawn at random, with the default one's tokenizer."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Pooling, Transformer
    from transformers import AutoTokenizer, BertConfig, BertModel

    settings = load_settings("conf/local.yaml")
    tokenizer = AutoTokenizer.from_pretrained(resolve(settings.encoder.model, settings.cache_dir()).path)
    torch.manual_seed(1)
    bert = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=_VECTOR,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=64,
    )
    BertModel(bert).save_pretrained(folder / "bert")  # type: ignore[no-untyped-call]
    tokenizer.save_pretrained(folder / "bert")
    word = Transformer(str(folder / "bert"), max_seq_length=64)
    SentenceTransformer(modules=[word, Pooling(_VECTOR)]).save(str(folder / "whole"))
    return folder / "whole"


def write_conf(folder: Path, encoder: Path) -> Path:
    """Settings for the log in ``folder``; the settings file."""
    conf = Path("conf").resolve()
    tree = yaml.safe_load((conf / "base.yaml").read_text()) | {
        "warehouse": str(folder / "warehouse"),
        "spark_conf": str(conf / "local"),
        "log": str(folder / "trackrec.log"),
        "source": {
            "interactions": {"format": "parquet", "path": str(folder / "events")},
            "items": {"format": "parquet", "path": str(folder / "items.parquet")},
        },
        "histories": {"policy": "nightly", "max_lag_days": 400},
        # Texts of a function of the prompt's words repeat each other.
        "quality": {"max_duplicate_share": 1.0},
    }
    tree["generator"] |= {"engine": "scripted", "chunk_rows": 25_000, "max_num_seqs": 256, "high_water": 512}
    tree["encoder"] = {"model": {"source": f"path:{encoder}"}, "vector_size": _VECTOR, "batch_size": 256}
    path = folder / "conf.yaml"
    path.write_text(yaml.safe_dump(tree))
    return path


def night(conf: Path, as_of: pd.Timestamp, said: str) -> dict[str, Any]:
    """Run the night; its seconds, G's tokens, rows written, and the seconds of each stage."""
    print(said, flush=True)
    run_id = f"{as_of:%Y-%m-%d}"
    job = ["-m", "jobs.nightly", "--conf", str(conf), "--set", f"histories.as_of={run_id}", "--run-id", run_id]
    start = time.perf_counter()
    subprocess.run([sys.executable, *job], check=True)
    seconds = time.perf_counter() - start
    counts = ledger_counts(conf, run_id)
    stages = {name.removesuffix("_seconds"): round(s, 1) for name, s in counts.items() if name.endswith("_seconds")}
    return {
        "seconds": round(seconds, 1),
        "tokens": int(counts["generate_tokens"]),
        "rows": int(counts["publish_rows"]),
        "stages": stages,
    }


if __name__ == "__main__":
    sys.exit(main())
