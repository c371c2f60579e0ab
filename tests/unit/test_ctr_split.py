"""Samples whose windows follow the log's own split: no window ends at a time, so no label comes too late for it."""

import numpy as np
import pyarrow as pa
import pytest
from deltalake import write_deltalake

from trackrec.ctr.samples import load_samples
from trackrec.runtime.errors import BadInputError
from trackrec.tables.lake import Lake

TIME = pa.timestamp("us", tz="UTC")
# Leave-one-out of two users: b's train events lie after a's test event.
WINDOWS = ["ctr_train", "ctr_train", "ctr_validation", "ctr_test"] * 2
SPLITS = ["train", "train", "validation", "test"] * 2


def instants(seconds):
    return pa.array(np.asarray(seconds, dtype=np.int64) * 1_000_000).cast(TIME)


def lake(folder, labels=(1, 0, 1, 0, 1, 0, 0, 1), splits=SPLITS):
    seconds = np.arange(8)
    table = {
        "user_id": ["a"] * 4 + ["b"] * 4,
        "item_id": [f"i{n}" for n in range(8)],
        "event_time": instants(seconds),
        "known_time": instants(seconds + 100),  # after all events
        "label": pa.array(labels, pa.int32()),
        "window": WINDOWS,
        "in_scope": [True] * 8,
    }
    if splits is not None:
        table["split"] = pa.array(splits, pa.string())
    write_deltalake(folder / "samples", pa.table(table))
    return Lake(str(folder))


def test_every_row_of_a_split_counts_whenever_its_label_became_known(tmp_path):
    samples = load_samples(lake(tmp_path))
    assert samples.rows("ctr_train", in_scope_only=True).tolist() == [0, 1, 4, 5]
    assert samples.rows("ctr_validation", in_scope_only=True).tolist() == [2, 6]
    assert samples.late_rows("ctr_train", in_scope_only=True) == 0


@pytest.mark.parametrize("splits", [None, [None] * 8])
def test_without_a_split_windows_end_where_the_next_one_begins(tmp_path, splits):
    with pytest.raises(BadInputError, match="no row of users in scope in window ctr_train but 4 whose label became"):
        load_samples(lake(tmp_path, splits=splits))


def test_one_class_of_labels_in_a_split_is_refused(tmp_path):
    with pytest.raises(BadInputError, match="all 2 rows of users in scope in window ctr_test have label 1"):
        load_samples(lake(tmp_path, labels=(1, 0, 1, 1, 1, 0, 0, 1)))
