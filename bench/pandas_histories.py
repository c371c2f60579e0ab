"""The histories of ``trackrec.histories.contents`` in pandas, twice: what Spark is measured against.

``with_frames`` is what one writes first: DataFrame operations, merge, explode, groupby. ``with_loops`` is tuned by hand
for one machine: a loop over snapshots on NumPy arrays, attributes as a dense 0/1 table (so only a few attributes).
Both are for events that arrive at once (known_time = event_time).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from trackrec.histories.templates import Template
from trackrec.runtime.settings import HistorySettings


def with_frames(folder: Path, settings: HistorySettings, template: Template) -> pd.DataFrame:
    """user_id, as_of and prompt_body of every snapshot after each ``every_n``-th event, of ``bench.logs.write_log``."""
    events, snapshots = _read(folder, settings)
    length = np.minimum(snapshots["n_events"].to_numpy(), settings.last_n)
    of = np.repeat(np.arange(len(snapshots)), length)
    first = snapshots["end"].to_numpy() - length
    place = np.arange(len(of)) - np.repeat(np.cumsum(length) - length, length) + np.repeat(first, length)
    items = pd.read_parquet(folder / "items.parquet")
    shown = events.loc[place, ["item_id", "label"]].assign(snapshot=of).merge(items, on="item_id", how="left")
    lists = [_listed(shown[shown["label"] == label], settings.listed, snapshots.index) for label in (1, 0)]
    tallies = _tallied(shown, settings.tallied, snapshots.index)
    share = "liked " + snapshots["n_liked"].astype(str) + " of " + snapshots["n_events"].astype(str)
    columns = zip(*lists, tallies, share, strict=True)
    return snapshots.assign(prompt_body=[_body(template, *row) for row in columns])


def _listed(shown: pd.DataFrame, listed: int, index: pd.Index) -> pd.Series:
    last = shown.groupby("snapshot").tail(listed)
    return last.groupby("snapshot")["title"].agg("; ".join).reindex(index, fill_value="none")


def _tallied(shown: pd.DataFrame, tallied: int, index: pd.Index) -> pd.Series:
    named = shown[["snapshot", "attributes", "label"]].explode("attributes")
    counts = named.groupby(["snapshot", "attributes"])["label"].agg(["sum", "size"]).reset_index()
    order = counts.sort_values(["snapshot", "size", "attributes"], ascending=[True, False, True])
    top = order.groupby("snapshot").head(tallied)
    text = top["attributes"] + " " + top["sum"].astype(str) + " / " + (top["size"] - top["sum"]).astype(str)
    return text.groupby(top["snapshot"]).agg("; ".join).reindex(index, fill_value="none")


def with_loops(folder: Path, settings: HistorySettings, template: Template) -> pd.DataFrame:
    """The same as ``with_frames``."""
    events, snapshots = _read(folder, settings)
    items = pd.read_parquet(folder / "items.parquet").set_index("item_id")
    return snapshots.assign(prompt_body=list(_bodies(snapshots, events, items, settings, template)))


def _read(folder: Path, settings: HistorySettings) -> tuple[pd.DataFrame, pd.DataFrame]:
    events = pd.read_parquet(folder / "events.parquet")
    events = events.sort_values(["user_id", "known_time", "event_time", "item_id"], ignore_index=True)
    return events, _snapshots(events, settings.every_n)


def _snapshots(events: pd.DataFrame, every_n: int) -> pd.DataFrame:
    """user_id, as_of, n_events, n_liked, and ``end``: the place of the first event that is not in."""
    of_user = events.groupby("user_id", sort=False)
    ranked = pd.DataFrame(
        {
            "user_id": events["user_id"],
            "second": events["known_time"].dt.floor("s"),
            "rank": of_user.cumcount() + 1,
            "liked": of_user["label"].cumsum(),
            "end": np.arange(1, len(events) + 1),
        }
    )
    seconds = ranked.groupby(["user_id", "second"], sort=False).agg(
        first=("rank", "min"), n_events=("rank", "max"), n_liked=("liked", "max"), end=("end", "max")
    )
    passed = seconds[seconds["n_events"] // every_n > (seconds["first"] - 1) // every_n].reset_index()
    passed["as_of"] = passed.pop("second") + pd.Timedelta(seconds=1)
    return passed.drop(columns="first")


def _bodies(
    snapshots: pd.DataFrame, events: pd.DataFrame, items: pd.DataFrame, settings: HistorySettings, template: Template
) -> Iterator[str]:
    code = items.index.get_indexer(pd.Index(events["item_id"]))
    titles = items["title"].to_numpy(dtype=object)
    names, attributes = _attribute_codes(items)
    label = events["label"].to_numpy()
    for n_events, n_liked, end in snapshots[["n_events", "n_liked", "end"]].itertuples(index=False):
        start = end - min(n_events, settings.last_n)
        shown, liked = code[start:end], label[start:end] == 1
        yield _body(
            template,
            "; ".join(titles[shown[liked][-settings.listed :]]) or "none",
            "; ".join(titles[shown[~liked][-settings.listed :]]) or "none",
            _tallies(attributes[shown[liked]].sum(0), attributes[shown[~liked]].sum(0), names, settings.tallied),
            f"liked {n_liked} of {n_events}",
        )


def _attribute_codes(items: pd.DataFrame) -> tuple[list[str], np.ndarray]:
    """Names in alphabetical order, and [items, names] 0/1."""
    exploded = items["attributes"].explode()
    names = sorted(exploded.unique())
    table = np.zeros((len(items), len(names)), dtype=np.int32)
    table[items.index.get_indexer(exploded.index), pd.Index(names).get_indexer(exploded)] = 1
    return names, table


def _tallies(liked: np.ndarray, disliked: np.ndarray, names: list[str], tallied: int) -> str:
    total = liked + disliked
    most = np.argsort(-total, kind="stable")[:tallied]
    return "; ".join(f"{names[i]} {liked[i]} / {disliked[i]}" for i in most if total[i]) or "none"


def _body(template: Template, liked: str, disliked: str, tallies: str, share: str) -> str:
    return "\n".join(
        [
            template.lead,
            "<<<",
            f"Liked {template.item_noun}: {liked}",
            f"Disliked {template.item_noun}: {disliked}",
            f"{template.attribute_noun.capitalize()}, liked / disliked: {tallies}",
            f"In all: {share} {template.item_noun}.",
            ">>>",
            template.question.format(items=template.item_noun),
        ]
    )
