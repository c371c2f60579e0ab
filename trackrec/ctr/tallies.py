"""What the RecCoTs were written from, as numbers: a text that brings no more than these has only counted."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from trackrec.ctr.as_of import newest_until
from trackrec.ctr.features import SnapshotVectors, Vectors
from trackrec.ctr.floors import shrunk_share
from trackrec.ctr.reccots import user_codes
from trackrec.ctr.samples import Samples, microseconds
from trackrec.ctr.whitening import Floats
from trackrec.tables.lake import Lake


def read_tallies(lake: Lake, samples: Samples) -> SnapshotVectors:
    """Of each snapshot in ``user_histories``: share of likes, log count, and both lift and log count of each attribute.

    Lift is the shrunk share of likes on the attribute minus the user's own share; 0 where it is not among the tallies.
    One vector a snapshot, (snapshots, 2 + 2 · attributes). BadInputError: no table.
    """
    table = lake.read_columns("user_histories", ["user_id", "as_of", "n_events", "n_liked", "tallies"])
    events, liked = (table[name].to_numpy().astype(np.float64) for name in ("n_events", "n_liked"))
    share = shrunk_share(liked, events, float(liked.sum() / max(events.sum(), 1)))
    values = np.column_stack([share, np.log1p(events), _attributes(table["tallies"], share)]).astype(np.float32)
    user = user_codes(table["user_id"], samples)
    snapshot = newest_until(user, microseconds(table["as_of"]), samples.user, samples.event_time)
    return SnapshotVectors({"tallies": Vectors(values, np.ones(len(values), bool))}, user, snapshot)


def _attributes(column: pa.ChunkedArray, share: np.ndarray) -> Floats:
    row = np.repeat(np.arange(len(share)), pc.fill_null(pc.list_value_length(column), 0).to_numpy())
    tallies = pc.list_flatten(column)
    name, liked, disliked = (pc.struct_field(tallies, field) for field in ("attribute", "liked", "disliked"))
    names = pc.unique(name).sort()
    code = pc.index_in(name, value_set=names).to_numpy().astype(np.int64)
    likes = liked.to_numpy().astype(np.float64)
    events = likes + disliked.to_numpy()
    values = np.zeros((len(share), 2 * len(names)), np.float32)
    values[row, code] = shrunk_share(likes, events, share[row]) - share[row]
    values[row, len(names) + code] = np.log1p(events)
    return values
