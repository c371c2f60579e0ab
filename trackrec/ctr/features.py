"""What each arm adds to the backbone: vectors joined to samples by user and time, and which samples have none."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from trackrec.ctr.as_of import newest_until
from trackrec.ctr.samples import Samples, microseconds
from trackrec.metrics.arrays import Ints
from trackrec.runtime.errors import BadInputError
from trackrec.tables.lake import Lake
from trackrec.tables.writers import is_teacher

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Features:
    """Vectors of the snapshots, each (snapshots, size), and the snapshot of every sample (-1: none)."""

    vectors: tuple[Floats, ...]
    snapshot: Ints
    version: str | None = None
    linear: bool = False  # plain numbers, read through a linear layer whatever ``ctr.adaptor`` is

    def coverage(self, rows: Ints) -> float:
        """Share of ``rows`` with a vector."""
        return float(np.mean(self.snapshot[rows] >= 0))


def no_features(samples: Samples) -> Features:
    """The plain arm."""
    return Features((), np.full(len(samples.user), -1))


def reccot_features(lake: Lake, samples: Samples, version: str | None) -> Features:
    """``reccot_vectors`` (prompt and RecCoT) of the newest snapshot with as_of <= the event's time.

    ``version`` None takes the feature_version of G that was published last. BadInputError: no table, no such version,
    or vectors that differ in size or are not finite.
    """
    columns = ["user_id", "as_of", "feature_version", "prompt_vector", "reccot_vector", "created_time"]
    table = lake.read_columns("reccot_vectors", [*columns, "generator_version"])
    if version is None:
        version = newest_of_generator(table)
    table = table.filter(pc.equal(table["feature_version"], version))
    if table.num_rows == 0:
        raise BadInputError(
            f"table reccot_vectors has no row of feature_version {version}.",
            "Correct ctr.feature_version, or leave it out to take the newest.",
        )
    prompt, reccot = (_matrix(table[name], name) for name in ("prompt_vector", "reccot_vector"))
    if prompt.shape != reccot.shape:
        raise BadInputError(
            f"table reccot_vectors: prompt_vector has {prompt.shape[1]} floats, reccot_vector {reccot.shape[1]}.",
            "Encode both with one encoder: run jobs/encode_reccot.py again.",
        )
    return Features((prompt, reccot), _snapshots(table, samples), version)


def newest_of_generator(vectors: pa.Table) -> str:
    """The feature_version that was published last of those whose RecCoTs G wrote; BadInputError where there is none.

    ``vectors``: feature_version, generator_version and created_time of ``reccot_vectors``.
    """
    of_g = pa.array([not is_teacher(version) for version in vectors["generator_version"].to_pylist()], pa.bool_())
    table = vectors.filter(of_g)
    if table.num_rows == 0:
        raise BadInputError(
            "table reccot_vectors has no RecCoT of G, only a teacher's.",
            "Run jobs/nightly.py over the CTR windows first.",
        )
    return str(table["feature_version"][int(np.argmax(microseconds(table["created_time"])))])


def random_features(like: Features, seed: int) -> Features:
    """The control for extra parameters: the same snapshots and sizes, each vector a random direction of unit norm."""
    random = np.random.default_rng(seed)
    drawn = [random.standard_normal(v.shape, dtype=np.float32) for v in like.vectors]
    return Features(
        tuple(v / np.linalg.norm(v, axis=1, keepdims=True) for v in drawn), like.snapshot, linear=like.linear
    )


def two_number_features(lake: Lake, samples: Samples) -> Features:
    """Share of likes and log(1 + events) of the newest snapshot in ``user_histories``, scaled to mean 0, sd 1."""
    table = lake.read_columns("user_histories", ["user_id", "as_of", "n_events", "n_liked"])
    events = table["n_events"].to_numpy().astype(np.float64)
    numbers = np.stack([table["n_liked"].to_numpy() / np.maximum(events, 1), np.log1p(events)], axis=1)
    snapshot = _snapshots(table, samples)
    fitted = numbers[np.unique(snapshot[(samples.window == "ctr_train") & (snapshot >= 0)])]
    if fitted.size:
        numbers = (numbers - fitted.mean(axis=0)) / (fitted.std(axis=0) + 1e-6)
    return Features((numbers.astype(np.float32),), snapshot, linear=True)


def _snapshots(table: pa.Table, samples: Samples) -> Ints:
    user = pc.fill_null(pc.index_in(table["user_id"], value_set=samples.users), len(samples.users))
    codes = user.to_numpy().astype(np.int64)  # users without a sample share one code, which no event has
    return newest_until(codes, microseconds(table["as_of"]), samples.user, samples.event_time)


def _matrix(column: pa.ChunkedArray, name: str) -> Floats:
    sizes = np.unique(pc.list_value_length(column).to_numpy(zero_copy_only=False).astype(float))
    flat = pc.list_flatten(column).to_numpy(zero_copy_only=False).astype(np.float32)
    if len(sizes) != 1 or not sizes[0] > 0 or not np.isfinite(flat).all():
        raise BadInputError(
            f"table reccot_vectors: {name} must be finite floats of one size, found sizes {sizes.tolist()}.",
            "Run jobs/encode_reccot.py and jobs/publish_features.py again.",
        )
    return np.ascontiguousarray(flat.reshape(len(column), -1))
