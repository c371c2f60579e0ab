"""A synthetic log as the Delta tables that the CTR job reads: a few users, items with texts, snapshots with vectors."""

from pathlib import Path

import numpy as np
import pyarrow as pa
from deltalake import write_deltalake

from trackrec.ctr.samples import Samples

TIME = pa.timestamp("us", tz="UTC")
FLOATS = pa.list_(pa.float32())
WINDOWS = ("alignment", "ctr_train", "ctr_validation", "ctr_test")


def instants(seconds):
    return pa.array(np.asarray(seconds, dtype=np.int64) * 1_000_000).cast(TIME)


def vectors(rows):
    """A column of vectors; None stays NULL."""
    return pa.array([None if row is None else np.asarray(row, dtype=np.float32) for row in rows], type=FLOATS)


def samples(users, events, label, item=None):
    """``events`` (of each window in turn) of every user, one each 100 s; ``label`` and ``item`` (users, all events)."""
    number = np.tile(np.arange(sum(events)), users)
    user = np.repeat(np.arange(users), sum(events))
    item = user * 7 + number * 3 if item is None else np.asarray(item).ravel()
    seconds = instants(number * 100 + user % 50)
    return pa.table(
        {
            "user_id": [f"u{u:04}" for u in user],
            "item_id": [f"i{i % 15:03}" for i in item],
            "event_time": seconds,
            "known_time": seconds,
            "label": pa.array(np.asarray(label).ravel(), type=pa.int32()),
            "window": np.repeat(WINDOWS, events)[number],
            "in_scope": np.ones(len(user), dtype=bool),
            "as_of": seconds,
        }
    )


def drawn_samples(rows, per_user, items):
    """``rows`` training rows, ``per_user`` of each user one a second, of items and with labels drawn at random."""
    random, users = np.random.default_rng(0), rows // per_user
    time, item = np.tile(np.arange(per_user), users) * 1_000_000, random.integers(0, items, rows)
    return Samples(
        user=np.repeat(np.arange(users), per_user),
        item=item + 2,
        item_all=item,
        event_time=time,
        known_time=time,
        label=random.integers(0, 2, rows),
        window=np.array(["ctr_train"] * rows, dtype=object),
        in_scope=np.ones(rows, dtype=bool),
        users=pa.array([str(user) for user in range(users)]),
        items=pa.array([str(item) for item in range(items)]),
        n_items=items + 2,
    )


def items(vector, attributes=None, source="catalogue", encoder="e1", created=0, first=0):
    """Rows of item_vectors, of the items from number ``first`` on."""
    rows = len(vector)
    return pa.table(
        {
            "item_id": [f"i{i:03}" for i in range(first, first + rows)],
            "item_key": [f"{source}{i}{created}" for i in range(rows)],
            "encoder_version": [encoder] * rows,
            "text_source": [source] * rows,
            "text": [f"Film {i}" for i in range(rows)],
            "attributes": pa.array(attributes or [None] * rows, type=pa.list_(pa.string())),
            "item_vector": vectors(vector),
            "created_time": instants([created] * rows),
        }
    )


def snapshots(user, as_of, version="v1", generator="g@1+vllm", created=0, **columns):
    """Rows of reccot_vectors; ``columns``: vectors by name, as in prompt_vector=…"""
    rows = len(user)
    return pa.table(
        {
            "user_id": [f"u{u:04}" for u in user],
            "as_of": instants(as_of),
            "feature_version": [version] * rows,
            "generator_version": pa.array([generator] * rows, type=pa.string()),
            "created_time": instants([created] * rows),
            **{f"{name}_vector": vectors(rows_) for name, rows_ in columns.items()},
        }
    )


def histories(user, as_of, n_events, n_liked, tallies):
    """Rows of user_histories; ``tallies``: of each row (attribute, liked, disliked) triples."""
    names = ("attribute", "liked", "disliked")
    kind = pa.struct([("attribute", pa.string()), ("liked", pa.int32()), ("disliked", pa.int32())])
    return pa.table(
        {
            "user_id": [f"u{u:04}" for u in user],
            "as_of": instants(as_of),
            "template_version": ["t@1"] * len(user),
            "created_time": instants([0] * len(user)),
            "n_events": pa.array(n_events, type=pa.int64()),
            "n_liked": pa.array(n_liked, type=pa.int64()),
            "tallies": pa.array(
                [[dict(zip(names, t, strict=True)) for t in row] for row in tallies], type=pa.list_(kind)
            ),
        }
    )


def write(root: Path, **tables):
    """Write the tables, in the place of what is there; a list of them is put end to end."""
    for name, table in tables.items():
        rows = pa.concat_tables(table) if isinstance(table, list) else table
        write_deltalake(root / name, rows, mode="overwrite", schema_mode="overwrite")
