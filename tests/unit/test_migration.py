"""Tables of an earlier version, without Spark: what they lack is added, what cannot be mended is said."""

from dataclasses import replace
from datetime import UTC, datetime

import pyarrow as pa
import pytest
from deltalake import DeltaTable, Schema, write_deltalake

from trackrec.runtime.errors import BadInputError
from trackrec.tables.arrow import arrow_schema, spark_type
from trackrec.tables.contract import Column
from trackrec.tables.lake import Lake
from trackrec.tables.migration import KEY_PROPERTY, StoredTable, migration_of
from trackrec.tables.schemas import FEATURE_GAIN, PART_VECTORS, PREFERENCES, RUNS, TABLES, USER_HISTORIES

NOON = datetime(2024, 1, 1, 12, tzinfo=UTC)
HOST = Column("host", "string", "the machine's name", nullable=True)


def run_row(job="j", **more):
    times = {"started_time": NOON, "created_time": NOON}
    return {"run_id": "r1", "job": job, "status": "done", "counts": {"rows": 1.0}, "config_hash": "h", **times, **more}


def gain_row(backbone):
    values = {"string": "x", "timestamp": NOON, "double": 0.5, "bigint": 1}
    row = {c.name: None if c.nullable else values[c.type] for c in FEATURE_GAIN.columns}
    return row | {"backbone": backbone}


@pytest.fixture
def lake(tmp_path):
    return Lake(str(tmp_path / "warehouse"))


def stored(lake, name="runs"):
    delta = DeltaTable(f"{lake.root}/{name}")
    return {field.name: field for field in delta.schema().fields}, delta.metadata().configuration


def test_a_created_table_records_its_key(lake):
    lake.insert_rows("runs", [run_row()])
    assert stored(lake)[1] == {KEY_PROPERTY: "run_id,job"}


def test_a_new_nullable_column_is_null_to_readers_before_anything_was_written(lake, monkeypatch):
    lake.insert_rows("runs", [run_row()])
    monkeypatch.setitem(TABLES, "runs", replace(RUNS, columns=(HOST, *RUNS.columns)))
    rows = lake.read_columns("runs", ["job", "host", "status"])
    assert rows.to_pylist() == [{"job": "j", "host": None, "status": "done"}]
    assert lake.read_columns("runs", ["host"]).to_pylist() == [{"host": None}]
    assert rows.schema.field("host").type == pa.string()
    assert "host" not in stored(lake)[0]
    assert lake.open("runs").version() == 1, "reading wrote something"


def test_a_new_nullable_column_is_added_with_its_comment_before_rows_are_written(lake, monkeypatch):
    lake.insert_rows("runs", [run_row()])
    monkeypatch.setitem(TABLES, "runs", replace(RUNS, columns=(HOST, *RUNS.columns)))
    assert lake.insert_rows("runs", [run_row("k", host="h1"), run_row(host="h2")]) == 1
    columns, properties = stored(lake)
    assert columns["host"].metadata["comment"] == "the machine's name"
    assert properties == {KEY_PROPERTY: "run_id,job"}
    rows = lake.read_columns("runs", ["job", "host", "config_hash"]).to_pylist()
    assert {row["job"]: (row["host"], row["config_hash"]) for row in rows} == {"j": (None, "h"), "k": ("h1", "h")}


def test_the_part_vectors_that_an_earlier_table_lacks_are_null(lake):
    write_deltalake(f"{lake.root}/reccot_vectors", pa.table({"user_id": ["u1"], "reccot_vector": [[0.6, 0.8]]}))
    rows = lake.read_columns("reccot_vectors", ["user_id", *PART_VECTORS, "generator_version"])
    assert rows.to_pylist() == [{"user_id": "u1"} | dict.fromkeys((*PART_VECTORS, "generator_version"))]
    assert rows.schema.field("liked_vector").type == pa.list_(pa.float32())


def test_a_table_without_a_recorded_key_gets_it_once(lake):
    write_deltalake(f"{lake.root}/runs", pa.Table.from_pylist([run_row()], schema=arrow_schema(RUNS)))
    lake.insert_rows("runs", [run_row("k")])
    assert stored(lake)[1] == {KEY_PROPERTY: "run_id,job"}
    before = lake.open("runs").version()
    lake.insert_rows("runs", [run_row("l")])
    assert lake.open("runs").version() == before + 1


def test_two_backbones_of_one_run_are_two_rows_in_a_table_that_had_no_backbone_in_its_key(lake, monkeypatch):
    with monkeypatch.context() as earlier:
        earlier.setitem(TABLES, "feature_gain", replace(FEATURE_GAIN, key=FEATURE_GAIN.earlier_keys[0]))
        assert lake.insert_rows("feature_gain", [gain_row("DIN")]) == 1
        assert lake.insert_rows("feature_gain", [gain_row("LongCTR")]) == 0
    assert lake.insert_rows("feature_gain", [gain_row("DIN"), gain_row("LongCTR")]) == 1
    assert stored(lake, "feature_gain")[1] == {KEY_PROPERTY: "run_id,arm,seed,backbone"}


@pytest.mark.parametrize(
    ("changed", "difference"),
    [
        ({"columns": (*RUNS.columns, replace(HOST, nullable=False))}, "host is missing and may not be NULL"),
        ({"columns": (*RUNS.columns[:-1], replace(RUNS.columns[-1], type="string"))}, "created_time is timestamp, exp"),
        ({"key": ("run_id",)}, "its key is run_id,job, expected run_id"),
    ],
)
def test_what_cannot_be_mended_is_named_with_the_remedy_and_nothing_is_written(lake, monkeypatch, changed, difference):
    lake.insert_rows("runs", [run_row()])
    before = lake.open("runs").version()
    monkeypatch.setitem(TABLES, "runs", replace(RUNS, **changed))
    row = run_row("k", host="h") if len(TABLES["runs"].columns) > len(RUNS.columns) else run_row("k")
    row |= {"created_time": "noon"} if "created_time" in difference else {}
    with pytest.raises(BadInputError, match=rf"table runs .*{difference}.* Set warehouse to a new place"):
        lake.insert_rows("runs", [row])
    assert lake.open("runs").version() == before


def test_columns_that_the_schema_does_not_have_are_left_alone():
    columns = {c.name: c.type for c in RUNS.columns} | {"cost": "double"}
    assert not migration_of(RUNS, StoredTable("here", columns, {KEY_PROPERTY: "run_id,job"})).needed


def test_every_difference_is_named_at_once():
    columns = {c.name: c.type for c in RUNS.columns if c.name != "job"} | {"counts": "string"}
    with pytest.raises(BadInputError, match=r"counts is string, expected map<string,double>; job is missing.*its key"):
        migration_of(RUNS, StoredTable("here", columns, {KEY_PROPERTY: "job"}))


@pytest.mark.parametrize("table", [USER_HISTORIES, PREFERENCES], ids=lambda t: t.name)
def test_types_of_delta_rs_are_named_as_spark_names_them(table):
    candidate = pa.struct(
        [("row_key", pa.string()), ("text", pa.string()), ("ended", pa.bool_()), ("reward", pa.float64())]
    )
    tally = pa.struct([("attribute", pa.string()), ("liked", pa.int32()), ("disliked", pa.int32())])
    nested = {
        "chosen": candidate, "rejected": pa.list_(candidate), "tallies": pa.list_(tally),
        "liked": pa.list_(pa.string()), "disliked": pa.list_(pa.string()),
        "above": pa.list_(tally), "below": pa.list_(tally),
    }  # fmt: skip
    scalars = {"string": pa.string(), "int": pa.int32(), "bigint": pa.int64(), "double": pa.float64()}
    scalars["timestamp"] = pa.timestamp("us", "UTC")
    schema = pa.schema([(c.name, nested.get(c.name) or scalars[c.type]) for c in table.columns])
    fields = Schema.from_arrow(schema).fields
    assert {field.name: spark_type(field.type) for field in fields} == {c.name: c.type for c in table.columns}
