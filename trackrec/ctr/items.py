"""The items' own words and attributes, from ``item_vectors``: what every arm knows of an item besides its number."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from trackrec.ctr.samples import Samples, last_written
from trackrec.ctr.whitening import Floats
from trackrec.metrics.arrays import Ints
from trackrec.runtime.errors import BadInputError
from trackrec.tables.lake import Lake
from trackrec.tables.schemas.items import CATALOGUE

# Of a catalogue with brands or tags: each is a number of every item of every history in a batch, 512 · 51 · 100 floats
# are 10 MB.
MOST_ATTRIBUTES = 100
_COLUMNS = ("item_id", "encoder_version", "text_source", "attributes", "item_vector", "created_time")


@dataclass(frozen=True)
class ItemTexts:
    """A row for each code of ``Samples.item_all``."""

    vectors: Floats  # (items, size) of unit norm; zeros where the item has no text
    described: npt.NDArray[np.bool_]  # (items,) it has one
    attributes: Floats  # (items, attributes) 0 or 1
    encoder_version: str


def no_item_texts(samples: Samples) -> ItemTexts:
    """For arms that know an item by its number alone."""
    items = len(samples.items)
    return ItemTexts(np.zeros((items, 0), np.float32), np.zeros(items, bool), np.zeros((items, 0), np.float32), "")


def read_item_texts(lake: Lake, samples: Samples, source: str = CATALOGUE, encoder: str | None = None) -> ItemTexts:
    """The vectors of ``source`` by ``encoder``, where it has none by the one with most items, of several the newest.

    BadInputError: no table, no vector of these items.
    """
    table = lake.read_columns("item_vectors", _COLUMNS)
    of_source = table.filter(pc.equal(table["text_source"], source))
    if of_source.num_rows == 0:
        present = ", ".join(sorted(map(str, pc.unique(table["text_source"]).to_pylist())))
        raise BadInputError(
            f"table item_vectors has no row of text_source {source}. Present: {present}.",
            "Run jobs/encode_items.py, and for descriptions jobs/describe_items.py before it.",
        )
    version = _encoder_of(of_source, encoder)
    rows = of_source.filter(pc.equal(of_source["encoder_version"], version)).sort_by("created_time")
    code = pc.index_in(rows["item_id"], value_set=samples.items)
    rows, code = _newest(rows.filter(pc.is_valid(code)), pc.drop_null(code).to_numpy().astype(np.int64))
    if not len(code):
        raise BadInputError(
            f"table item_vectors: none of its {of_source.num_rows:,} items of text_source {source} is in samples.",
            "Are item_id of the log and of the catalogue the same ids? Then run jobs/encode_items.py again.",
        )
    read = vector_matrix(rows["item_vector"], "item_vectors", "item_vector")
    vectors = np.zeros((len(samples.items), read.shape[1]), np.float32)
    vectors[code] = read
    described = np.zeros(len(samples.items), bool)
    described[code] = True
    return ItemTexts(vectors, described, _attributes(rows["attributes"], code, len(samples.items)), version)


def _encoder_of(table: pa.Table, preferred: str | None) -> str:
    of_encoders = table.group_by("encoder_version").aggregate([("item_id", "count_distinct"), ("created_time", "max")])
    rows = of_encoders.to_pylist()
    if any(row["encoder_version"] == preferred for row in rows):
        return str(preferred)
    # Most items first: an encoding that was broken off is the newest and knows a part of them only.
    newest = max(rows, key=lambda row: (row["item_id_count_distinct"], row["created_time_max"]))
    return str(newest["encoder_version"])


def newest_description(lake: Lake) -> str:
    """The text_source, other than the catalogue, that was written last. BadInputError: there is none."""
    table = lake.read_columns("item_vectors", ["text_source", "created_time"])
    described = table.filter(pc.not_equal(table["text_source"], CATALOGUE))
    if described.num_rows == 0:
        raise BadInputError(
            "table item_vectors has no description of an item, only the catalogue's own text.",
            "Run jobs/describe_items.py first, or take item_description out of ctr.arms.",
        )
    return str(last_written(described, "text_source"))


def vector_matrix(column: pa.ChunkedArray, table: str, name: str) -> Floats:
    """A column of vectors without NULL as (rows, size). BadInputError: sizes differ, or not finite."""
    sizes = np.unique(pc.list_value_length(column).to_numpy(zero_copy_only=False).astype(float))
    flat = pc.list_flatten(column).to_numpy(zero_copy_only=False).astype(np.float32)
    if len(sizes) != 1 or not sizes[0] > 0 or not np.isfinite(flat).all():
        raise BadInputError(
            f"table {table}: {name} must be finite floats of one size, present sizes {sizes.tolist()}.",
            "Encode all rows again with one encoder.",
        )
    return np.ascontiguousarray(flat.reshape(len(column), -1))


def _newest(rows: pa.Table, code: Ints) -> tuple[pa.Table, Ints]:
    """The last row of each item: a run that was killed leaves the superseded text beside the new one."""
    kept, from_the_end = np.unique(code[::-1], return_index=True)
    return rows.take(len(code) - 1 - from_the_end), kept


def _attributes(column: pa.ChunkedArray, code: Ints, items: int) -> Floats:
    """The most frequent attributes as 0 and 1, in alphabetical order of their names."""
    lengths = pc.fill_null(pc.list_value_length(column), 0).to_numpy().astype(np.int64)
    values = pc.list_flatten(column)
    counted = sorted(values.value_counts().to_pylist(), key=lambda pair: (-pair["counts"], pair["values"]))
    names = pa.array(sorted(pair["values"] for pair in counted[:MOST_ATTRIBUTES]), pa.string())
    place = pc.fill_null(pc.index_in(values, value_set=names), -1).to_numpy().astype(np.int64)
    item = np.repeat(code, lengths)
    matrix = np.zeros((items, len(names)), np.float32)
    matrix[item[place >= 0], place[place >= 0]] = 1
    return matrix
