"""Published RecCoT vectors as what arms are made of: the newest snapshot of each sample's user, part by part."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from trackrec.ctr.as_of import newest_until
from trackrec.ctr.features import SnapshotVectors, Vectors
from trackrec.ctr.items import ItemTexts, vector_matrix
from trackrec.ctr.matching import cosine
from trackrec.ctr.samples import Samples, last_written, microseconds
from trackrec.ctr.whitening import Floats
from trackrec.metrics.arrays import Ints
from trackrec.runtime.errors import BadInputError
from trackrec.tables.lake import Lake
from trackrec.tables.schemas import PART_VECTORS
from trackrec.tables.writers import TEACHER

PARTS = tuple(name.removesuffix("_vector") for name in PART_VECTORS)
# The cosine of each part with the target item is a number of its own. Alone, on the demo's rows and by the teacher's
# texts, liked minus avoided has AUC .562, with half of outlook's added .575, the entire text's .497.
_CENTRE, _SCALE = 0.25, 8  # of MiniLM's cosines between such sentences and "title (year), genres"


def read_reccots(lake: Lake, samples: Samples, version: str | None, *, by_teacher: bool = False) -> SnapshotVectors:
    """``reccot_vectors`` of one feature_version: prompt; liked, avoided and outlook, or instead the entire RecCoT.

    Where at least half of the texts have parts, the few without stand as they are in the place of the liked part.
    ``version`` None takes what was published last, by the teacher or by anyone else. BadInputError: no table, no such
    version, or vectors that differ in size or are not finite.
    """
    names = ["prompt_vector", "reccot_vector", *PART_VECTORS]
    columns = ["user_id", "as_of", "feature_version", "generator_version", "encoder_version", "created_time", *names]
    table = lake.read_columns("reccot_vectors", columns)
    version = version or _newest_version(table, by_teacher=by_teacher)
    table = table.filter(pc.equal(table["feature_version"], version))
    table = table.sort_by([("user_id", "ascending"), ("as_of", "ascending")])  # storage has no order
    if table.num_rows == 0:
        raise BadInputError(
            f"table reccot_vectors has no row of feature_version {version}.",
            "Correct ctr.feature_version or ctr.feature_versions, or leave it out to take the newest.",
        )
    vectors = {name.removesuffix("_vector"): _vectors(table[name], name) for name in names}
    parted = np.any([vectors[part].present for part in PARTS], axis=0)
    if parted.mean() >= 0.5:
        vectors["liked"] = _filled(vectors["liked"], vectors.pop("reccot"), ~parted)
    else:
        vectors = {name: vector for name, vector in vectors.items() if name not in PARTS}
    chosen = [name for name in vectors if vectors[name].present.any()]
    user = user_codes(table["user_id"], samples)
    snapshot = newest_until(user, microseconds(table["as_of"]), samples.user, samples.event_time)
    encoder = table["encoder_version"][0].as_py()
    return SnapshotVectors({name: vectors[name] for name in chosen}, user, snapshot, version, encoder)


def user_codes(column: pa.ChunkedArray, samples: Samples) -> Ints:
    """Codes of users, shape (rows,); those without a sample share one code, which no event has."""
    code = pc.fill_null(pc.index_in(column, value_set=samples.users), len(samples.users))
    return np.asarray(code.to_numpy().astype(np.int64))


def item_cosines(snapshots: SnapshotVectors, samples: Samples, items: ItemTexts) -> Floats:
    """Cosine of each part with the sample's item, (samples, 3), 0 where one is missing; of items without texts (…, 0).

    BadInputError where parts and items were encoded by different encoders.
    """
    if not items.vectors.shape[1]:
        return np.zeros((len(samples.user), 0), np.float32)
    _check_encoder(snapshots, items)
    columns = []
    for part in PARTS:
        vector = snapshots.vectors.get(part)
        values = np.zeros((len(snapshots.user), items.vectors.shape[1])) if vector is None else vector.values
        with_none = np.concatenate([values, np.zeros((1, values.shape[1]))]).astype(np.float32)
        columns.append(cosine(with_none[snapshots.snapshot], items.vectors[samples.item_all]))
    return np.stack(columns, axis=1).astype(np.float32)


def scaled_cosines(cosines: Floats) -> Floats:
    """``item_cosines`` as inputs of a network, 0 where a part is missing. Fixed numbers, as in ``matching``."""
    return np.asarray(np.where(cosines == 0, 0, (cosines - _CENTRE) * _SCALE), dtype=np.float32)


def newest_encoder(lake: Lake) -> str | None:
    """The encoder of the RecCoTs that were published last; None without any, or where an earlier version wrote them."""
    if not lake.exists("reccot_vectors"):
        return None
    table = lake.read_columns("reccot_vectors", ["encoder_version", "created_time"])
    version = last_written(table, "encoder_version")
    return None if version is None else encoder_itself(version)


def encoder_itself(version: str) -> str:
    """Without the ``+…`` behind its hash, which says what texts the encoder was given."""
    name, at, rest = version.rpartition("@")
    return f"{name}{at}{rest.partition('+')[0]}"


def _filled(vectors: Vectors, others: Vectors, rows: npt.NDArray[np.bool_]) -> Vectors:
    """``vectors`` with those of ``others`` in ``rows``."""
    if not vectors.values.shape[1] or not rows.any():
        return vectors
    values, present = vectors.values.copy(), vectors.present.copy()
    values[rows], present[rows] = others.values[rows], others.present[rows]
    return Vectors(values, present)


def _check_encoder(snapshots: SnapshotVectors, items: ItemTexts) -> None:
    of_parts = [vector.values.shape[1] for name, vector in snapshots.vectors.items() if name in PARTS]
    encoder = encoder_itself(snapshots.encoder_version or items.encoder_version)
    if encoder != items.encoder_version or set(of_parts) - {items.vectors.shape[1]}:
        raise BadInputError(
            f"table reccot_vectors was encoded by {encoder}, parts of {of_parts} floats, and item_vectors by "
            f"{items.encoder_version}, {items.vectors.shape[1]} floats: two encoders.",
            "Run jobs/encode_items.py, jobs/encode_reccot.py and jobs/publish_features.py with the same encoder.",
        )


def _newest_version(table: pa.Table, *, by_teacher: bool) -> str:
    written_by_teacher = pc.fill_null(pc.starts_with(table["generator_version"], TEACHER), False)
    rows = table.filter(written_by_teacher if by_teacher else pc.invert(written_by_teacher))
    if rows.num_rows == 0:
        writer = "the teacher" if by_teacher else "an LLM"
        raise BadInputError(
            f"table reccot_vectors has no row written by {writer}.",
            "Run jobs/publish_teacher.py first." if by_teacher else "Run jobs/nightly.py first.",
        )
    return str(last_written(rows, "feature_version"))


def _vectors(column: pa.ChunkedArray, name: str) -> Vectors:
    """The column as a matrix, zeros where it is NULL."""
    present = np.asarray(pc.is_valid(column).to_numpy())
    if not present.any():
        return Vectors(np.zeros((len(present), 0), np.float32), present)
    read = vector_matrix(column.drop_null(), "reccot_vectors", name)
    values = np.zeros((len(present), read.shape[1]), np.float32)
    values[present] = read
    return Vectors(values, present)
