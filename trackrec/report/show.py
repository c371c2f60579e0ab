"""RecCoTs beside the histories they came from, and how to read the tables from elsewhere."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any

from deltalake import DeltaTable

from trackrec.lake import read_columns

_WIDTH = 100


def reccots(warehouse: str, count: int = 3) -> str:
    """``count`` published RecCoTs of different users, each under its history: those of the middle-sized histories.

    Raises BadInputError where nothing was published.
    """
    keys = ["user_id", "as_of", "prompt_key"]
    shown = ["n_events", "n_liked", "liked", "disliked", "tallies"]
    rows = read_columns(warehouse, "reccot_vectors", [*keys, "reccot", "status"]).to_pylist()
    known = read_columns(warehouse, "user_histories", [*keys, *shown]).to_pylist()
    histories = {tuple(row[k] for k in keys): row for row in known}
    newest = {row["user_id"]: row for row in sorted(rows, key=lambda row: row["as_of"])}
    told = [(row, histories[tuple(row[k] for k in keys)]) for row in newest.values()]
    told.sort(key=lambda pair: (pair[1]["n_events"], pair[0]["user_id"]))
    start = max(0, (len(told) - count) // 2)
    return "\n\n".join(_beside(row, history) for row, history in told[start : start + count])


def tables(warehouse: str) -> str:
    """Where the Delta tables lie and one line each to read them with Spark, deltalake and polars."""
    root = Path(warehouse)
    lines = [f"Delta tables in {warehouse}/"]
    for folder in sorted(p for p in root.iterdir() if (p / "_delta_log").is_dir()):
        table = DeltaTable(folder)
        rows = table.count()
        lines.append(f"  {folder.name:<18} version {table.version():>3}, {rows:>7,} rows")
    path = f"{warehouse}/reccot_vectors"
    lines += [
        "Read them with",
        f'  Spark      spark.read.format("delta").load("{path}")',
        f'  deltalake  deltalake.DeltaTable("{path}").to_pyarrow_table()',
        f'  polars     polars.read_delta("{path}")',
    ]
    return "\n".join(lines)


def _beside(row: dict[str, Any], history: dict[str, Any]) -> str:
    tallies = "; ".join(f"{t['attribute']} {t['liked']}/{t['disliked']}" for t in history["tallies"])
    cut = " (cut at max_tokens, whole sentences kept)" if row["status"] == "cut" else ""
    return "\n".join(
        [
            f"User {row['user_id']} as of {row['as_of']:%Y-%m-%d %H:%M:%S} UTC, "
            f"{history['n_liked']} of {history['n_events']} liked",
            _wrapped("  liked     ", "; ".join(history["liked"])),
            _wrapped("  disliked  ", "; ".join(history["disliked"])),
            _wrapped("  tallies   ", f"{tallies} (liked/disliked)"),
            _wrapped("  RecCoT    ", row["reccot"] + cut),
        ]
    )


def _wrapped(label: str, text: str) -> str:
    return textwrap.fill(text, _WIDTH, initial_indent=label, subsequent_indent=" " * len(label))
