"""RecCoTs beside the histories they came from, and how to read the tables from elsewhere."""

from __future__ import annotations

import textwrap
from typing import Any

from trackrec.histories.shares import COLUMNS, Tally, percent, shares_of
from trackrec.runtime.errors import BadInputError
from trackrec.runtime.terminal import printable, printable_line
from trackrec.tables.lake import Lake
from trackrec.tables.schemas import TABLES
from trackrec.tables.writers import is_teacher

_WIDTH = 100
_EXAMPLES = 3


def reccots(lake: Lake) -> str:
    """Three published RecCoTs of G, of different users, each under its history: those of the middle-sized histories.

    Raises BadInputError where nothing was published, or a teacher's RecCoTs alone.
    """
    keys = ["user_id", "as_of", "prompt_key"]
    shown = ["n_events", "n_liked", "liked", "disliked", "tallies", *COLUMNS]
    rows = lake.read_columns("reccot_vectors", [*keys, "reccot", "status", "generator_version"]).to_pylist()
    rows = [row for row in rows if not is_teacher(row["generator_version"])]
    if not rows:
        raise BadInputError("reccot_vectors has no RecCoT of G, only a teacher's.", "Run jobs/nightly.py first.")
    stored = lake.read_columns("user_histories", [*keys, *shown]).to_pylist()
    histories = {tuple(row[k] for k in keys): row for row in stored}
    newest = {row["user_id"]: row for row in sorted(rows, key=lambda row: row["as_of"])}
    pairs = [(row, histories[tuple(row[k] for k in keys)]) for row in newest.values()]
    pairs.sort(key=lambda pair: (pair[1]["n_events"], pair[0]["user_id"]))
    start = max(0, (len(pairs) - _EXAMPLES) // 2)
    return printable("\n\n".join(_beside(row, history) for row, history in pairs[start : start + _EXAMPLES]))


def tables(lake: Lake) -> str:
    """Where the Delta tables lie and one line each to read them with Spark, deltalake and polars.

    Raises BadInputError where there is none.
    """
    names = [name for name, table in sorted(TABLES.items()) if not table.external and lake.exists(name)]
    if not names:
        raise BadInputError(f"there is no table in {lake.root}.", "Run jobs/nightly.py first, or set warehouse.")
    lines = [f"Delta tables in {lake.root}"]
    width = max(18, *map(len, names))
    for name in names:
        table = lake.open(name)
        lines.append(f"  {name:<{width}} version {table.version():>3}, {table.count():>7,} rows")
    shown = "reccot_vectors" if "reccot_vectors" in names else names[0]
    return "\n".join(
        [
            *lines,
            "Read them with",
            f"  Spark      {lake.spark_expression(shown)}",
            f'  deltalake  deltalake.DeltaTable("{lake.uri(shown)}").to_pyarrow_table()',
            f'  polars     polars.read_delta("{lake.uri(shown)}")',
        ]
    )


def _beside(row: dict[str, Any], history: dict[str, Any]) -> str:
    cut = " (cut at max_tokens, whole sentences kept)" if row["status"] == "cut" else ""
    return "\n".join(
        [
            f"User {printable_line(row['user_id'])} as of {row['as_of']:%Y-%m-%d %H:%M:%S} UTC, "
            f"{history['n_liked']} of {history['n_events']} liked",
            _wrapped("  liked     ", "; ".join(history["liked"])),
            _wrapped("  disliked  ", "; ".join(history["disliked"])),
            *_numbers(history),
            _wrapped("  RecCoT    ", row["reccot"] + cut),
        ]
    )


def _numbers(history: dict[str, Any]) -> list[str]:
    """The usual share and what stands out, where the prompt showed that; else its tallies."""
    if history["above"] is None:
        tallies = "; ".join(f"{t['attribute']} {t['liked']}/{t['disliked']}" for t in history["tallies"])
        return [_wrapped("  tallies   ", f"{tallies} (liked/disliked)")]
    shares = shares_of(history)
    sides = (("  above     ", shares.above), ("  below     ", shares.below))
    usual = f"{percent(shares.liked, shares.events)} % ({shares.liked} of {shares.events})"
    shown = [_wrapped(label, "; ".join(map(_counted, side)) or "none") for label, side in sides]
    return [_wrapped("  usual     ", usual), *shown]


def _counted(tally: Tally) -> str:
    return f"{tally.attribute} {percent(tally.liked, tally.total)} % ({tally.liked} of {tally.total})"


def _wrapped(label: str, text: str) -> str:
    return textwrap.fill(text, _WIDTH, initial_indent=label, subsequent_indent=" " * len(label))
