"""What killed nights lost, doubled, asked for again and left behind, against nights that nobody disturbed."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from deltalake import DeltaTable
from filelock import FileLock, Timeout

_CANARY = "canary"  # how the keys of requests begin that are no row's
_SERVED = {  # the columns of the key, and that of the text
    "reccots": ("row_key", "text"),
    "reccot_vectors": ("user_id", "as_of", "feature_version", "reccot"),
}


@dataclass(frozen=True)
class Interrupted:
    """What a kill found: prompt keys that were asked for and not committed, and how many of them were unfinished."""

    keys: frozenset[str]
    in_flight: int


class CallTally:
    """Reads the log of an engine's calls, kill by kill."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._so_far: list[dict[str, Any]] = []
        self._read_to = 0  # bytes of the file
        self._lines = 0  # calls at the last kill
        self._interrupted: Counter[str] = Counter()

    def since_kill(self) -> int:
        """Requests that were handed to an engine since the last kill, and requests that it finished: their sum."""
        return len(self._calls()) - self._lines

    def last_worker(self) -> int:
        """The process of the last call; 0 where there is none."""
        calls = self._calls()
        return int(calls[-1]["process"]) if calls else 0

    def killed(self) -> Interrupted:
        """Call after each kill, once those that it killed are gone and before a request is asked again."""
        calls = self._calls()
        since = calls[self._lines :]
        self._lines = len(calls)
        started = {call["key"] for call in since if call["event"] == "started"}
        finished = {call["key"] for call in since if call["event"] == "finished"}
        staged = {row["prompt_key"] for row in table_rows(self._folder, "reccot_staging", ["prompt_key"])}
        self._interrupted.update(started - staged)
        return Interrupted(frozenset(started - staged), len(started - finished - staged))

    def tokens(self) -> tuple[int, int]:
        """Output tokens of requests that were asked more than once, each further time; and of those interrupted.

        A request that was begun counts as if all of it had been written. Call when the last night has ended.
        """
        starts = Counter(call["key"] for call in self._calls() if call["event"] == "started")
        columns = ["prompt_key", "output_tokens"]
        rows = table_rows(self._folder, "reccots", columns)
        size = {row["prompt_key"]: row["output_tokens"] for row in rows}
        again = sum((times - 1) * size.get(key, 1) for key, times in starts.items())
        return again, sum(times * size.get(key, 1) for key, times in self._interrupted.items())

    def _calls(self) -> list[dict[str, Any]]:
        """All calls so far, but those of canaries."""
        path = self._folder / "calls.jsonl"
        if path.exists():
            with path.open("rb") as file:
                file.seek(self._read_to)
                new, end, _ = file.read().rpartition(b"\n")  # the last line may be half written
            self._read_to += len(new + end)
            calls = map(json.loads, new.splitlines())
            self._so_far += [call for call in calls if not call["key"].startswith(_CANARY)]
        return self._so_far


@dataclass(frozen=True)
class Difference:
    """``rows`` of an undisturbed night: missing, more than one of a key, of another text; and those it has not."""

    rows: int
    lost: int
    doubled: int
    changed: int
    extra: int


def difference(folder: Path, undisturbed: Path, night: datetime) -> Difference:
    """Compare reccots and reccot_vectors of the warehouses in both folders, as far as they are of ``night``."""
    mine, theirs = _texts(folder, night), _texts(undisturbed, night)
    return Difference(
        rows=len(theirs),
        lost=len(theirs.keys() - mine.keys()),
        doubled=sum(len(texts) > 1 for texts in mine.values()),
        changed=sum(mine[key][0] != theirs[key][0] for key in theirs.keys() & mine.keys()),
        extra=len(mine.keys() - theirs.keys()),
    )


def _texts(folder: Path, night: datetime) -> dict[tuple[Any, ...], list[str]]:
    """The texts of each key of both tables, one where all is well."""
    texts: dict[tuple[Any, ...], list[str]] = {}
    for table, (*key, text) in _SERVED.items():
        for row in table_rows(folder, table, dict.fromkeys((*key, text, "as_of"))):
            if row["as_of"] == night:
                texts.setdefault((table, *(row[name] for name in key)), []).append(row[text])
    return texts


def leftovers(folder: Path) -> dict[str, int]:
    """What no run needs once the last has ended: scratch tables, staged rows without their text, leases, held locks."""
    good = [row["row_key"] for row in table_rows(folder, "reccot_staging", ["row_key", "status"]) if _is_good(row)]
    merged = {row["row_key"] for row in table_rows(folder, "reccots", ["row_key"])}
    return {
        "scratch tables": len(list((folder / "warehouse").glob("_scratch_*"))),
        "staged rows": len(set(good) - merged),
        "leases": len(table_rows(folder, "leases", ["run_id"])),
        "locks": sum(_is_held(path) for path in (folder / "tmp").rglob("*.lock")),
    }


def holder(folder: Path) -> dict[str, Any] | None:
    """The row of ``leases``, where there is one."""
    return next(iter(table_rows(folder, "leases")), None)


def taken_time(folder: Path, run_id: str) -> datetime | None:
    """When a run took its lease, out of the table's versions; None where it never did."""
    path = folder / "warehouse" / "leases"
    if not DeltaTable.is_deltatable(str(path)):
        return None
    for version in range(DeltaTable(path).version(), -1, -1):
        for row in DeltaTable(path, version=version).to_pyarrow_table().to_pylist():
            if row["run_id"] == run_id:
                taken: datetime = row["taken_time"]
                return taken
    return None


def table_rows(folder: Path, table: str, columns: Iterable[str] | None = None) -> list[dict[str, Any]]:
    """Rows of a table of the warehouse in ``folder``; none where it was not made yet."""
    path = folder / "warehouse" / table
    if not DeltaTable.is_deltatable(str(path)):
        return []
    rows: list[dict[str, Any]] = (
        DeltaTable(path).to_pyarrow_table(columns=None if columns is None else list(columns)).to_pylist()
    )
    return rows


def _is_good(row: dict[str, Any]) -> bool:
    return bool(row["status"] != "failed")


def _is_held(path: Path) -> bool:
    lock = FileLock(path, timeout=0)
    try:
        with lock:
            return False
    except Timeout:
        return True
