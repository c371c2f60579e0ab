"""What the RecCoTs were written from, as numbers: a text that brings no more than these has only counted."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from trackrec.ctr.as_of import newest_until
from trackrec.ctr.features import SnapshotVectors, Vectors
from trackrec.ctr.floors import shrunk_share
from trackrec.ctr.reccots import user_codes
from trackrec.ctr.samples import Samples, last_written, microseconds
from trackrec.ctr.whitening import Floats
from trackrec.metrics.arrays import Scores
from trackrec.tables.lake import Lake

_LISTS = ("tallies", "above", "below")  # an attribute that is in several has the same numbers in each
_EVENTS = ("n_events", "n_liked", "shown_events", "shown_liked")
_COLUMNS = ("user_id", "as_of", *_EVENTS, *_LISTS, "template_version", "revision", "created_time")


def read_tallies(lake: Lake, samples: Samples) -> SnapshotVectors:
    """Of each snapshot in ``user_histories`` two vectors (snapshots, 1 + attributes): shares of likes, and log counts.

    ``likes``: the user's share of likes, then of each attribute the share on it minus the user's own; both shrunk, and
    0 where the attribute is in none of the snapshot's lists. ``counts``: log(1 + events), of all and of each attribute.
    Two vectors, as the counts vary more: on MovieLens-100k 15 of the first 16 components of one vector were made of
    them. Events are those that the prompt says: of a template with shares the newest, whose share its texts name.
    Of several templates the one written last counts, of several prompts of a snapshot the newest. BadInputError: no
    table.
    """
    table = _newest(lake.read_columns("user_histories", _COLUMNS))
    events, liked = (
        pc.coalesce(table[f"shown_{name}"], table[f"n_{name}"]).to_numpy().astype(np.float64)
        for name in ("events", "liked")
    )
    # Shrunk to the share of all snapshots until then: what became known later must not reach an earlier one.
    share = shrunk_share(liked, events, (liked.cumsum() + 1) / (events.cumsum() + 2))
    lift, count = _attributes([table[name] for name in _LISTS], share)
    likes, counts = np.column_stack([share, lift]), np.column_stack([np.log1p(events), count])
    present = np.ones(len(share), bool)
    vectors = {"likes": Vectors(_floats(likes), present), "counts": Vectors(_floats(counts), present)}
    user = user_codes(table["user_id"], samples)
    snapshot = newest_until(user, microseconds(table["as_of"]), samples.user, samples.event_time)
    return SnapshotVectors(vectors, user, snapshot)


def _newest(table: pa.Table) -> pa.Table:
    """One row a (user, as_of), the last revision, of the template that was written last, sorted by as_of and user."""
    rows = table.filter(pc.equal(table["template_version"], last_written(table, "template_version")))
    order = [(name, "ascending") for name in ("as_of", "user_id", "revision", "created_time")]
    rows = rows.sort_by(order, null_placement="at_start")  # rows of before there were revisions
    keys = rows.select(["as_of", "user_id"]).to_pandas()
    return rows.filter(pa.array(~keys.duplicated(keep="last")))


def _attributes(lists: Sequence[pa.ChunkedArray], share: Scores) -> tuple[Scores, Scores]:
    """Lift and log count, each (snapshots, attributes), in alphabetical order of the attributes."""
    snapshots = np.arange(len(share))
    row = np.concatenate([np.repeat(snapshots, pc.fill_null(pc.list_value_length(c), 0).to_numpy()) for c in lists])
    tallies = [pc.list_flatten(column) for column in lists]
    name, liked, disliked = (
        pa.chunked_array([chunk for t in tallies for chunk in pc.struct_field(t, field).cast(kind).chunks], kind)
        for field, kind in (("attribute", pa.string()), ("liked", pa.int32()), ("disliked", pa.int32()))
    )
    names = pc.unique(name).sort()
    code = pc.index_in(name, value_set=names).to_numpy().astype(np.int64)
    likes = liked.to_numpy().astype(np.float64)
    events = likes + disliked.to_numpy()
    lift, count = np.zeros((2, len(share), len(names)))
    lift[row, code] = shrunk_share(likes, events, share[row]) - share[row]
    count[row, code] = np.log1p(events)
    return lift, count


def _floats(values: Scores) -> Floats:
    return np.asarray(values, dtype=np.float32)
