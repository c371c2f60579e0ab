"""The ``samples`` table as arrays: who, what, when, label and window of every labelled event."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from trackrec.metrics.arrays import Ints
from trackrec.runtime.errors import BadInputError
from trackrec.tables.lake import Lake

PADDING, UNSEEN = 0, 1  # item codes that are no item: an empty history slot, an item of a later window only
_FOLLOWING = {"ctr_train": "ctr_validation", "ctr_validation": "ctr_test"}  # the window that begins where one ends
_COLUMNS = ("user_id", "item_id", "event_time", "known_time", "label", "window", "in_scope", "split")


@dataclass(frozen=True)
class Samples:
    """One entry a labelled event, sorted by (user, event_time, item). Times are microseconds UTC."""

    user: Ints  # code of the user: its place in users
    item: Ints  # PADDING and UNSEEN aside, an item of the alignment or CTR train window
    item_all: Ints  # code over the items of all windows, for counting; never an input of a network
    event_time: Ints
    known_time: Ints
    label: Ints  # 0 or 1
    window: npt.NDArray[np.object_]
    in_scope: npt.NDArray[np.bool_]
    users: pa.Array  # user_id of each code
    items: pa.Array  # item_id of each code of item_all
    n_items: int  # item codes, PADDING and UNSEEN included
    by_split: bool = False  # windows follow the log's own split, and none of them ends at a time

    def rows(self, window: str, in_scope_only: bool) -> Ints:
        """Row numbers of a window whose label was known before its end, of users in scope only or of all.

        Rows belong to a window by event_time. What became known only in a later window must not teach in this one, so
        these rows are left out; the test window has no end. Where windows follow the log's own split none has, and
        every row of the window counts, whenever its label became known.
        """
        return np.flatnonzero(self._of_window(window, in_scope_only) & (self.known_time < self._end(window)))

    def late_rows(self, window: str, in_scope_only: bool) -> int:
        """How many rows of the window ``rows`` leaves out."""
        return int(np.sum(self._of_window(window, in_scope_only) & (self.known_time >= self._end(window))))

    def _of_window(self, window: str, in_scope_only: bool) -> npt.NDArray[np.bool_]:
        return np.asarray((self.window == window) & (self.in_scope | (not in_scope_only)))

    def _end(self, window: str) -> int:
        """The first instant of the next window. Boundaries are not stored: the smallest event_time stands for it."""
        following = self.event_time[self.window == _FOLLOWING.get(window)]
        ends = following.size and not self.by_split
        return int(following.min()) if ends else int(np.iinfo(np.int64).max)


@dataclass(frozen=True)
class WindowRows:
    """The row numbers of ``Samples`` that a run trains on, validates by and tests."""

    train: Ints
    validation: Ints
    test: Ints

    @property
    def fitted_and_validated(self) -> Ints:
        """Rows of training, then of validation."""
        return np.concatenate([self.train, self.validation])

    @property
    def all(self) -> Ints:
        """Every one, test's last."""
        return np.concatenate([self.train, self.validation, self.test])


def microseconds(column: pa.ChunkedArray) -> Ints:
    """A timestamp column as int64 microseconds since 1970, UTC."""
    return np.asarray(column.cast(pa.timestamp("us", tz="UTC")).cast(pa.int64()).to_numpy())


def last_written(table: pa.Table, column: str) -> Any:
    """The value of ``column`` in the row with the newest created_time; ``table`` has rows."""
    return table[column][int(np.argmax(microseconds(table["created_time"])))].as_py()


def load_samples(lake: Lake) -> Samples:
    """Read ``samples``. BadInputError: no table, a window without rows of users in scope, or with one class of them."""
    table = lake.read_columns("samples", _COLUMNS)
    table = table.sort_by([(name, "ascending") for name in ("user_id", "event_time", "item_id")])
    users = pc.unique(table["user_id"])
    items = pc.unique(table["item_id"])
    window = np.asarray(table["window"].to_numpy(zero_copy_only=False), dtype=object)
    item_all = _codes(table["item_id"], items)
    trained = np.unique(item_all[np.isin(window, ("alignment", "ctr_train"))])
    item = np.full(len(items), UNSEEN)
    item[trained] = np.arange(len(trained)) + UNSEEN + 1
    samples = Samples(
        user=_codes(table["user_id"], users),
        item=item[item_all],
        item_all=item_all,
        event_time=microseconds(table["event_time"]),
        known_time=microseconds(table["known_time"]),
        label=table["label"].to_numpy().astype(np.int64),
        window=window,
        in_scope=np.asarray(table["in_scope"].to_numpy()),
        users=users,
        items=items,
        n_items=len(trained) + UNSEEN + 1,
        by_split=table["split"].null_count < table.num_rows,
    )
    _check_windows(samples)
    return samples


def _codes(column: pa.ChunkedArray, values: pa.Array) -> Ints:
    return np.asarray(pc.index_in(column, value_set=values).to_numpy().astype(np.int64))


def _check_windows(samples: Samples) -> None:
    remedy = "Correct the log's split" if samples.by_split else "Move windows.boundaries"
    for window in ("ctr_train", "ctr_validation", "ctr_test"):
        labels = samples.label[samples.rows(window, in_scope_only=True)]
        late = samples.late_rows(window, in_scope_only=True)
        if labels.size == 0:
            but = f" but {late} whose label became known after its end" if late else ""
            raise BadInputError(
                f"table samples has no row of users in scope in window {window}{but}.",
                f"{remedy}, or raise histories.max_users, and run jobs/build_histories.py again.",
            )
        if labels.min() == labels.max():
            raise BadInputError(
                f"table samples: all {labels.size} rows of users in scope in window {window} have label {labels[0]}, "
                "and AUC needs both classes.",
                "Check source.like_threshold, or raise histories.max_users, and run jobs/build_histories.py again.",
            )
