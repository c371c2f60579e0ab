"""Columns have Arrow types, and strings that a query returns as views become Arrow's ordinary ones."""

import pyarrow as pa
import pytest

from tests import ctr_log
from trackrec.tables.arrow import arrow_type, without_views
from trackrec.tables.lake import Lake
from trackrec.tables.schemas import TABLES

VIEW = pa.string_view()


@pytest.mark.parametrize(
    ("kind", "plain", "rows"),
    [
        (VIEW, pa.string(), ["a", None, "a text that is longer than a view holds in itself"]),
        (pa.list_(VIEW), pa.list_(pa.string()), [["a", None], [], None]),
        (pa.list_(pa.list_(VIEW)), pa.list_(pa.list_(pa.string())), [[["a"], []], None, []]),
        (
            pa.struct([("name", VIEW), ("count", pa.int32())]),
            pa.struct([("name", pa.string()), ("count", pa.int32())]),
            [{"name": "a", "count": 1}, {"name": None, "count": None}, None],
        ),
        (
            pa.list_(pa.struct([("name", VIEW), ("liked", pa.int32())])),
            pa.list_(pa.struct([("name", pa.string()), ("liked", pa.int32())])),
            [[{"name": "a", "liked": 1}], [], None],
        ),
    ],
    ids=str,
)
def test_views_become_strings_and_values_stay(kind, plain, rows):
    # Arrow builds views from Python in no nested type: they are cast into.
    table = without_views(pa.table({"c": pa.array(rows, plain).cast(kind), "n": [1, 2, 3]}))
    assert table.schema.types == [plain, pa.int64()]
    assert table.to_pylist() == [{"c": row, "n": n} for n, row in enumerate(rows, start=1)]


def test_what_has_no_view_stays_as_it_is():
    schema = pa.schema(
        [pa.field("v", pa.list_(pa.float32()), nullable=False), pa.field("t", pa.timestamp("us", "UTC"))]
    )
    table = pa.table({"v": [[1.5], [2.5]], "t": [0, 1]}, schema=schema)
    assert without_views(table).equals(table)
    assert without_views(table).schema == schema


NULLABLE = [(name, column) for name, table in TABLES.items() for column in table.columns if column.nullable]


@pytest.mark.parametrize(("table", "column"), NULLABLE, ids=[f"{table}.{column.name}" for table, column in NULLABLE])
def test_a_column_that_an_earlier_version_may_lack_has_an_arrow_type(table, column):
    assert pa.nulls(2, arrow_type(column)).null_count == 2


def test_of_histories_of_an_earlier_version_what_they_lack_is_null(tmp_path):
    ctr_log.write(tmp_path, user_histories=ctr_log.histories([0], [150], [8], [6], [[("Drama", 3, 1)]]))
    new = ("shown_events", "shown_liked", "above", "below")
    rows = Lake(str(tmp_path)).read_columns("user_histories", ["n_liked", *new]).to_pylist()
    assert rows == [{"n_liked": 6, **dict.fromkeys(new)}]
