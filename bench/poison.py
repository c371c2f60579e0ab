"""A night in which one row in five is poison: it makes the engine raise, or ends its Python worker.

With the gates as they are the night publishes nothing and ends with 1; with gates that let a quarter of the rows go the
next run publishes the others and asks for nothing.
"""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path
from typing import Any

import yaml

from bench.nights import Nights, write_log, write_settings
from bench.tally import table_rows

_POISON_EVERY = 5  # users
_KILLS_EVERY = 250  # users: 20 of 5,000
_RAISED = {"max_quarantine_share": 0.25, "min_coverage": 0.75}
# 128 in flight are as quick with an engine that takes no time, and a lost worker leaves 8 times as many suspects.
_GENERATOR = {"engine": "scripted", "chunk_rows": 1250, "high_water": 16}


def poisoned(folder: Path, users: int) -> dict[str, Any]:
    """The JSON line of a night of ``users``, a multiple of 250, in ``folder``, run with either gates."""
    began = time.monotonic()
    poison = {
        f"u{u}": "SCRIPT:kill" if u % _KILLS_EVERY == 0 else "SCRIPT:crash" for u in range(0, users, _POISON_EVERY)
    }
    folder.mkdir(exist_ok=True)
    write_log(folder, users, nights=1, titles=poison, title="Title")
    conf = write_settings(folder, folder, _GENERATOR)
    nights = Nights(folder)
    runs = [_run(nights)]
    conf.write_text(yaml.safe_dump(yaml.safe_load(conf.read_text()) | {"quality": _RAISED}))
    runs.append(_run(nights))
    reasons = Counter(row["reason"] for row in table_rows(folder, "quarantine", ["reason"]))
    expected = Counter(
        {"SCRIPT:kill": "kills_engine", "SCRIPT:crash": "engine_fault"}[text] for text in poison.values()
    )
    line: dict[str, Any] = {"bench": "poison", "rows": users, "poison": len(poison), "quarantined": dict(reasons)}
    line |= {"runs": runs, "seconds": round(time.monotonic() - began)}
    line["passed"] = (
        reasons == expected
        and [(run["exit_code"], run["published"]) for run in runs] == [(1, 0), (0, users - len(poison))]
        and runs[1]["requests"] == 0
    )
    return line


def _run(nights: Nights) -> dict[str, Any]:
    """Exit code, rows published so far, and requests that the engines were handed."""
    before = _started(nights)
    code = nights.start(0).driver.wait()
    published = len(table_rows(nights.folder, "reccot_vectors", ["user_id"]))
    row = {"exit_code": code, "published": published, "requests": _started(nights) - before}
    print(f"a night ended with {code}: {published:,} published, {row['requests']:,} requests", flush=True)
    return row


def _started(nights: Nights) -> int:
    """Requests with canaries."""
    return nights.calls.read_text().count('"started"') if nights.calls.exists() else 0
