from datetime import UTC, datetime

import pytest
from deltalake import DeltaTable
from pyspark.sql import functions as F

from trackrec.runtime.errors import BadInputError
from trackrec.runtime.ledger import Tables
from trackrec.tables.catalog import CatalogLake
from trackrec.tables.keys import key_of, key_of_values
from trackrec.tables.lake import Lake
from trackrec.tables.schemas import FEATURE_GAIN, QUARANTINE, SAMPLES
from trackrec.tables.warehouse import Warehouse

pytestmark = pytest.mark.spark

NOON = datetime(2024, 1, 1, 12, tzinfo=UTC)


@pytest.fixture(params=["path", "catalog"])
def warehouse(spark, tmp_path, request):
    """Both kinds of warehouse; the files lie in ``tmp_path/warehouse`` either way."""
    if request.param == "path":
        yield Warehouse(spark, str(tmp_path / "warehouse"))
        return
    spark.sql(f"CREATE SCHEMA spark_catalog.features LOCATION '{tmp_path}/warehouse'")
    yield Warehouse(spark, "spark_catalog.features")
    spark.sql("DROP SCHEMA spark_catalog.features CASCADE")


def sample(user="u1", item="i1", label=1, run="r1"):
    return (user, item, NOON, NOON, label, "alignment", True, None, run, NOON)


def frame(spark, *rows):
    return spark.createDataFrame(list(rows), SAMPLES.spark_schema())


def described(spark, warehouse, name):
    """Of the table's columns: type and comment by name; and its properties."""
    columns = spark.sql(f"DESCRIBE TABLE {warehouse.identifier(name)}").collect()
    properties = spark.sql(f"SHOW TBLPROPERTIES {warehouse.identifier(name)}").collect()
    return {r.col_name: (r.data_type, r.comment) for r in columns}, {r.key: r.value for r in properties}


def test_a_created_table_has_the_columns_comments_and_constraints_of_the_schema(spark, warehouse):
    warehouse.create("samples")
    warehouse.create("samples")  # nothing to do
    columns, properties = described(spark, warehouse, "samples")
    assert columns == {c.name: (c.type, c.comment) for c in SAMPLES.columns}
    assert {key.split(".")[-1] for key in properties if "constraints" in key} == {name for name, _ in SAMPLES.checks}
    assert properties["delta.enableDeletionVectors"] == "false"
    assert warehouse.read("samples").count() == 0


def test_a_null_where_none_may_be_is_refused(spark, warehouse):
    with pytest.raises(Exception, match=r"(?i)NOT_?NULL"):
        warehouse.insert_new("samples", frame(spark, sample(user=None)))


def test_a_table_that_was_never_written_reads_as_empty(spark, warehouse):
    assert warehouse.read_or_empty("samples").dtypes == frame(spark).dtypes
    assert not warehouse.exists("samples")
    warehouse.insert_new("samples", frame(spark, sample()))
    assert warehouse.read_or_empty("samples").count() == 1


def test_append_keeps_rows_of_the_same_key(spark, warehouse):
    warehouse.create("samples")
    warehouse.append("samples", frame(spark, sample()))
    warehouse.append("samples", frame(spark, sample()))
    assert warehouse.read("samples").count() == 2


def test_the_ledger_keeps_a_run_that_is_done_and_replaces_one_that_is_not(warehouse):
    tables: Tables = warehouse

    def told(job, status, rows):
        row = {"run_id": "r1", "job": job, "status": status, "counts": {"rows": rows}, "config_hash": "h",
               "started_time": NOON, "created_time": NOON}  # fmt: skip
        return tables.insert_rows("runs", [row], "old.status <> 'done'")

    assert [told("nightly", "failed", 1.0), told("nightly", "done", 2.0), told("nightly", "done", 0.0)] == [1, 1, 0]
    assert told("train_ctr", "failed", 0.0) == 1
    found = {r.job: (r.status, r.counts) for r in warehouse.read("runs").collect()}
    assert found == {"nightly": ("done", {"rows": 2.0}), "train_ctr": ("failed", {"rows": 0.0})}


def test_where_a_table_lies_is_told_and_a_missing_one_is_named(warehouse, tmp_path):
    warehouse.create("samples")
    assert warehouse.location("samples").removeprefix("file:") == f"{tmp_path}/warehouse/samples"
    with pytest.raises(BadInputError, match=r"table reccots does not exist"):
        warehouse.location("reccots")


def test_insert_new_adds_what_is_missing_and_leaves_the_rest_untouched(spark, warehouse):
    assert warehouse.insert_new("samples", frame(spark, sample("u1"))) == 1
    assert warehouse.insert_new("samples", frame(spark, sample("u1", label=0, run="r2"), sample("u2", run="r2"))) == 1
    rows = {r.user_id: (r.label, r.run_id) for r in warehouse.read("samples").collect()}
    assert rows == {"u1": (1, "r1"), "u2": (1, "r2")}


def test_insert_new_keeps_one_of_two_rows_of_the_same_key(spark, warehouse):
    assert warehouse.insert_new("samples", frame(spark, sample(), sample())) == 1


def test_upsert_rewrites_only_rows_whose_values_differ(spark, warehouse):
    warehouse.upsert("samples", frame(spark, sample("u1"), sample("u2")))
    assert warehouse.upsert("samples", frame(spark, sample("u1", run="r2"), sample("u2", label=0, run="r2"))) == 1
    assert {r.user_id: r.run_id for r in warehouse.read("samples").collect()} == {"u1": "r1", "u2": "r2"}


def test_a_row_that_breaks_a_constraint_is_refused(spark, warehouse):
    with pytest.raises(Exception, match=r"(?i)label_binary"):
        warehouse.insert_new("samples", frame(spark, sample(label=3)))


def test_a_missing_table_is_named_with_the_job_that_writes_it(warehouse):
    with pytest.raises(BadInputError, match=r"table reccots does not exist .* jobs/generate_reccot\.py"):
        warehouse.read("reccots")


def test_rows_with_a_wrong_type_are_refused_by_name(spark, warehouse):
    with pytest.raises(BadInputError, match="label is string, expected int"):
        warehouse.insert_new("samples", frame(spark, sample()).withColumn("label", F.lit("1")))


def test_materialised_rows_do_not_change_and_leave_nothing_behind(spark, warehouse, tmp_path):
    with warehouse.materialised(spark.range(5).withColumn("x", F.rand())) as rows:
        assert rows.collect() == rows.collect()
        assert len(list((tmp_path / "warehouse").glob("_scratch*"))) == 1
    assert list((tmp_path / "warehouse").glob("_scratch*")) == []
    if not warehouse.is_path:
        assert warehouse.spark.sql("SHOW TABLES IN spark_catalog.features").isEmpty()


def test_a_deletion_request_removes_the_user_from_every_table(spark, warehouse):
    warehouse.insert_new("samples", frame(spark, sample("u1"), sample("u2")))
    fault = [("k", "interactions", "bad_event_time", "u1", "{}", "r1", NOON)]
    warehouse.insert_new("quarantine", spark.createDataFrame(fault, QUARANTINE.spark_schema()))
    assert warehouse.delete_user("u1") == {"samples": 1, "quarantine": 1}
    assert [r.user_id for r in warehouse.read("samples").collect()] == ["u2"]


def test_deltalake_reads_the_table_and_its_comments_without_spark(spark, warehouse, tmp_path):
    warehouse.insert_new("samples", frame(spark, sample()))
    table = DeltaTable(tmp_path / "warehouse" / "samples")
    assert table.to_pyarrow_table().to_pylist()[0]["event_time"] == NOON
    assert table.schema().fields[0].metadata["comment"] == SAMPLES.columns[0].comment


def test_rows_that_deltalake_wrote_are_read_and_merged_by_spark(spark, warehouse, tmp_path):
    value = {"string": "x", "timestamp": NOON, "double": 0.5, "bigint": 1}
    row = {c.name: None if c.nullable else value[c.type] for c in FEATURE_GAIN.columns}
    lake = Lake(str(tmp_path / "warehouse"))
    if warehouse.is_path:
        assert lake.insert_rows("feature_gain", [row]) == 1
    else:
        assert CatalogLake(warehouse).insert_rows("feature_gain", [row]) == 1
    assert warehouse.insert_rows("feature_gain", [row, row | {"seed": 1}]) == 1
    assert lake.insert_rows("feature_gain", [row, row | {"seed": 1}, row | {"seed": 2}]) == 1
    columns, _ = described(spark, warehouse, "feature_gain")
    assert columns == {c.name: (c.type, c.comment) for c in FEATURE_GAIN.columns}
    assert {r.seed for r in warehouse.read("feature_gain").collect()} == {None, 1, 2}


def test_a_missing_schema_is_named_with_its_remedy_and_not_made(spark):
    with pytest.raises(BadInputError, match=r"schema spark_catalog\.nowhere does not exist.* CREATE SCHEMA"):
        Warehouse(spark, "spark_catalog.nowhere")
    assert not spark.catalog.databaseExists("spark_catalog.nowhere")


def test_a_name_with_a_hyphen_reaches_spark_as_one_name(spark):
    with pytest.raises(BadInputError, match=r"schema spark_catalog\.my-schema does not exist\. .*`my-schema`"):
        Warehouse(spark, "spark_catalog.my-schema")


def test_an_unknown_catalog_is_named_with_its_setting(spark):
    with pytest.raises(BadInputError, match=r"knows no catalog my-lake.* spark\.sql\.catalog\.my-lake"):
        Warehouse(spark, "my-lake.features")


def test_keys_of_shifted_parts_differ(spark):
    row = spark.range(1).select(key_of(F.lit("a"), F.lit("bc")).alias("x"), key_of(F.lit("ab"), F.lit("c")).alias("y"))
    x, y = row.first()
    assert len(x) == 64
    assert x != y
    assert x == key_of_values("a", "bc")
