"""A small log in the team's own shape (CSV, its own column names) and settings that map it."""

from __future__ import annotations

import csv
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml
from deltalake import DeltaTable

START = datetime(2024, 1, 1, tzinfo=UTC)
GENRES = ["Drama", "Comedy", "War", "Crime"]
SMALL_CTR = {
    "seeds": [1, 2],
    "components": 2,
    "history": 4,
    "hidden_units": [8],
    "embedding_dim": 4,
    "epochs": 1,
    "threads": 1,
}
CONF = Path(__file__).parents[2] / "conf"


def log_rows(users: int = 4, events: int = 14) -> list[dict[str, object]]:
    """Each user rates one item a day, five stars and two in turn."""
    return [
        {"member": f"u{u}", "sku": f"i{(u + n) % 9}", "at": (START + timedelta(days=n, minutes=u)).isoformat(),
         "stars": 5 if (u + n) % 3 else 2}
        for u in range(users)
        for n in range(events)
    ]  # fmt: skip


def write_csv(path: Path, rows: list[dict[str, object]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def write_conf(folder: Path, **changes: object) -> Path:
    """Settings for the log in ``folder``: every 3 events, the scripted engine, the real encoder."""
    write_csv(folder / "log.csv", log_rows())
    catalogue = [{"sku": f"i{n}", "name": f"Title {n}", "genres": " ".join(GENRES[: 1 + n % 4])} for n in range(9)]
    write_csv(folder / "items.csv", catalogue)
    header = {"header": "true"}
    tree = yaml.safe_load((CONF / "base.yaml").read_text()) | {
        "warehouse": str(folder / "warehouse"),
        "spark_conf": str(CONF / "local"),
        "log": str(folder / "trackrec.log"),
        "source": {
            "interactions": {
                "format": "csv", "path": str(folder / "log.csv"), "options": header,
                "columns": {"user_id": "member", "item_id": "sku", "event_time": "at", "rating": "stars"},
            },
            "items": {
                "format": "csv", "path": str(folder / "items.csv"), "options": header,
                "columns": {"item_id": "sku", "title": "name", "attributes": "genres"},
            },
        },
        "histories": {"every_n": 3},
    }  # fmt: skip
    tree["generator"] |= {"engine": "scripted", "dtype": "float32"}
    path = folder / "conf.yaml"
    path.write_text(yaml.safe_dump(tree | changes))
    return path


def copied(filled: Path, folder: Path) -> Path:
    """A log with its settings and tables again, in ``folder``; the settings read the files of the copy."""
    shutil.copytree(filled, folder)
    conf = folder / "conf.yaml"
    conf.write_text(conf.read_text().replace(str(filled), str(folder)))
    return folder


def rows(folder: Path, table: str) -> list[dict[str, Any]]:
    """A table of the warehouse in ``folder``."""
    return DeltaTable(folder / "warehouse" / table).to_pyarrow_table().to_pylist()


def counts(folder: Path, run_id: str, stage: str) -> dict[str, int]:
    """What the ledger says of a stage of a run, but its seconds."""
    (ledger,) = [dict(row["counts"]) for row in rows(folder, "runs") if row["run_id"] == run_id]
    named = {name.removeprefix(f"{stage}_"): int(n) for name, n in ledger.items() if name.startswith(f"{stage}_")}
    return {name: n for name, n in named.items() if name != "seconds"}
