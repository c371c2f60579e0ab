"""What an arm puts beside the backbone: vectors of a snapshot or an item that a sample joins, and its own numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from trackrec.ctr.samples import Samples
from trackrec.ctr.whitening import Floats, Whitening, fit_whitening
from trackrec.metrics.arrays import Ints

PROMPT = "prompt"  # the vector of a history's facts, beside those of what was written about it


@dataclass(frozen=True)
class Vectors:
    """One vector of every row (a snapshot, or an item), as it was encoded."""

    values: Floats  # (rows, size)
    present: npt.NDArray[np.bool_]  # (rows,) whether the row has one; its values are 0 where not

    def taken(self, rows: Ints) -> Vectors:
        """The vectors of ``rows``, in their order."""
        return Vectors(self.values[rows], self.present[rows])


@dataclass(frozen=True)
class SnapshotVectors:
    """Vectors of snapshots by name (prompt, liked, …), whose snapshot each is, and which one each sample joins."""

    vectors: Mapping[str, Vectors]
    user: Ints  # (snapshots,) code of the user; users without a sample share one code
    snapshot: Ints  # (samples,) row number of the newest snapshot with as_of <= the event's time; -1: none
    version: str | None = None  # feature_version
    encoder_version: str | None = None  # None in rows of an earlier version

    def fitted(self, rows: Ints) -> Ints:
        """The snapshots that the sample rows ``rows`` join, each once: of training rows what may be fitted on."""
        joined = np.unique(self.snapshot[rows])
        return joined[joined >= 0]


@dataclass(frozen=True)
class Features:
    """What the network reads of an arm."""

    vectors: tuple[Floats, ...]  # each (snapshots or items, k), zeros where there is none
    flags: Floats  # (snapshots or items, vectors) 1 where there is one
    row: Ints  # (samples,) row of the vectors; -1: none
    numbers: Floats  # (samples, n) of a sample itself, scaled
    version: str | None = None  # feature_version
    projections: Mapping[str, Whitening] = field(default_factory=dict)
    omitted: tuple[str, ...] = ()  # vectors that too few training snapshots have
    planted_worth: float | None = None  # AUC that a planted signal adds to plain, read without any network

    def coverage(self, rows: Ints) -> float:
        """Share of the samples ``rows`` with a vector, besides the prompt's where there are others."""
        if not self.vectors:
            return float(self.numbers.shape[1] > 0)
        texts = [i for i, name in enumerate(self.projections) if name != PROMPT] or slice(None)
        with_none = np.concatenate([self.flags, np.zeros((1, self.flags.shape[1]), np.float32)])
        return float(with_none[self.row[rows]][:, texts].any(axis=1).mean())


def no_features(samples: Samples) -> Features:
    """The plain arm."""
    rows = len(samples.user)
    nothing = np.zeros((rows, 0), np.float32)
    return Features((), nothing, np.full(rows, -1), nothing)


def whitened(
    vectors: Mapping[str, Vectors], fitted: Ints, components: int, table: str, *, clip_components: bool = False
) -> tuple[tuple[Floats, ...], Floats, dict[str, Whitening]]:
    """Whitened values, flags and the maps of ``vectors``, fitted on those of the rows ``fitted`` that are present.

    A vector that no more of these rows have than there are components is left out, unless it is so with all: then
    BadInputError as ``fit_whitening``. ``table``: where they come from, for errors. ``clip_components``: a vector
    that is shorter than ``components`` has as many components as floats; for those of no encoder.
    """
    sizes = dict.fromkeys(vectors, components)
    if clip_components:
        sizes = {name: min(components, vector.values.shape[1]) for name, vector in vectors.items()}
    values, flags, maps = [], [], {}
    counts = {name: int(vector.present[fitted].sum()) for name, vector in vectors.items()}
    enough = [name for name in vectors if counts[name] > sizes[name]]
    for column in enough or vectors:
        vector = vectors[column]
        present = fitted[vector.present[fitted]]
        maps[column] = fit_whitening(vector.values[present], sizes[column], f"table {table}, {column}")
        values.append(np.where(vector.present[:, None], maps[column].apply(vector.values), np.float32(0)))
        flags.append(vector.present)
    return tuple(values), np.stack(flags, axis=1).astype(np.float32), maps
