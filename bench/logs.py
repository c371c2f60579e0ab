"""Generated logs whose users and items follow Zipf's law: a few are met all the time, most hardly ever."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

EVENTS_A_USER = 50  # on average; by Zipf's law the busiest user has 8 to 10 % of all events
ITEMS = 20_000
GENRES = [f"Genre{chr(65 + n)}" for n in range(18)]
_YEAR = 365 * 24 * 3600 * 1_000_000  # microseconds


def write_log(folder: Path, events: int, seed: int = 7) -> Path:
    """``events`` cleaned events over one year, in no order, and their items, as Parquet; returns the folder.

    events: user_id, item_id, event_time, known_time, label; items: item_id, title, attributes.
    """
    folder.mkdir(parents=True, exist_ok=True)
    dice = np.random.default_rng(seed)
    time = pd.to_datetime(1_700_000_000_000_000 + dice.integers(0, _YEAR, events), unit="us", utc=True)
    log = pd.DataFrame(
        {
            "user_id": _ids("u", _zipf(dice, events // EVENTS_A_USER, events)),
            "item_id": _ids("i", _zipf(dice, ITEMS, events)),
            "event_time": time,
            "known_time": time,
            "label": dice.integers(0, 2, events, dtype=np.int32),
        }
    )
    log = log.drop_duplicates(["user_id", "item_id", "event_time"])
    # Spark reads no nanoseconds.
    log.to_parquet(folder / "events.parquet", index=False, coerce_timestamps="us")
    _items(dice).to_parquet(folder / "items.parquet", index=False)
    return folder


def _zipf(dice: np.random.Generator, values: int, size: int) -> npt.NDArray[np.intp]:
    shares = np.cumsum(1 / np.arange(1, values + 1))
    places: npt.NDArray[np.intp] = np.searchsorted(shares, dice.random(size) * shares[-1])
    return places


def _ids(letter: str, numbers: npt.NDArray[np.intp]) -> npt.NDArray[np.object_]:
    names = np.array([f"{letter}{n}" for n in range(int(numbers.max()) + 1)], dtype=object)
    return names[numbers]


def _items(dice: np.random.Generator) -> pd.DataFrame:
    chosen = [sorted(dice.choice(GENRES, dice.integers(1, 4), replace=False)) for _ in range(ITEMS)]
    return pd.DataFrame(
        {"item_id": [f"i{n}" for n in range(ITEMS)], "title": [f"The Title of {n}" for n in range(ITEMS)],
         "attributes": chosen}
    )  # fmt: skip
