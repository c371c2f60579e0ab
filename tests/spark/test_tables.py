from datetime import UTC, datetime

import pytest
from deltalake import DeltaTable
from pyspark.sql import functions as F

from trackrec.errors import BadInputError
from trackrec.schemas import QUARANTINE, SAMPLES
from trackrec.tables import Warehouse, key_of

pytestmark = pytest.mark.spark

NOON = datetime(2024, 1, 1, 12, tzinfo=UTC)


@pytest.fixture
def warehouse(spark, tmp_path):
    return Warehouse(spark, str(tmp_path / "warehouse"))


def sample(user="u1", item="i1", label=1, run="r1"):
    return (user, item, NOON, NOON, label, "alignment", True, None, run, NOON)


def frame(spark, *rows):
    return spark.createDataFrame(list(rows), SAMPLES.spark_schema())


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
    assert list((tmp_path / "warehouse").glob("_scratch*")) == []


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


def test_keys_of_shifted_parts_differ(spark):
    row = spark.range(1).select(key_of(F.lit("a"), F.lit("bc")).alias("x"), key_of(F.lit("ab"), F.lit("c")).alias("y"))
    x, y = row.first()
    assert len(x) == 64
    assert x != y
