"""Strings that a query returns as views become Arrow's ordinary ones, wherever they stand."""

import pyarrow as pa
import pytest

from trackrec.tables.arrow import without_views

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
