from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from deltalake import DeltaTable
from py4j.protocol import Py4JJavaError
from pyspark.sql import functions as F

from trackrec.runtime.errors import BadInputError
from trackrec.runtime.ledger import Tables
from trackrec.tables.catalog import CatalogLake
from trackrec.tables.contract import Column
from trackrec.tables.ddl import _current_catalog
from trackrec.tables.deletion import delete_users
from trackrec.tables.keys import bucket_of, key_of, key_of_values
from trackrec.tables.lake import Lake
from trackrec.tables.migration import KEY_PROPERTY
from trackrec.tables.schemas import FEATURE_GAIN, QUARANTINE, SAMPLES, TABLES
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


@pytest.fixture
def folder(spark, tmp_path):
    """A warehouse by path alone, for what does not depend on how tables are named."""
    return Warehouse(spark, str(tmp_path / "warehouse"))


def sample(user="u1", item="i1", label=1, run="r1"):
    return (user, item, NOON, NOON, label, "alignment", None, True, None, run, NOON)


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
    assert properties["delta.columnMapping.mode"] == "none"
    assert properties["delta.checkpointPolicy"] == "classic"
    assert properties[KEY_PROPERTY] == "user_id,item_id,event_time"
    assert warehouse.read("samples").count() == 0
    assert spark.sql(f"DESCRIBE HISTORY {warehouse.identifier('samples')}").count() == 1, "all in one commit"


def test_tables_are_created_where_the_path_has_blanks_and_percent_signs(spark, tmp_path):
    warehouse = Warehouse(spark, str(tmp_path / "ware house%20x"))
    warehouse.insert_new("samples", frame(spark, sample()))
    assert (tmp_path / "ware house%20x" / "samples" / "_delta_log").is_dir()
    assert warehouse.read("samples").count() == 1


def test_the_current_catalog_and_schema_are_put_back_after_a_table_was_created_in_another():
    class Catalog:
        current, database = "spark_catalog", "shop"

        def setCurrentCatalog(self, name):
            self.current, self.database = name, "default"

        def setCurrentDatabase(self, name):
            self.database = name

        def currentCatalog(self):
            return self.current

        def currentDatabase(self):
            return self.database

    session = SimpleNamespace(catalog=Catalog())
    with _current_catalog(session, "prod"):
        assert session.catalog.current == "prod"
    assert (session.catalog.current, session.catalog.database) == ("spark_catalog", "shop")


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


def test_materialised_rows_of_a_cluster_are_a_table_and_leave_nothing_behind(spark, warehouse, tmp_path):
    warehouse.scratch_tables = True
    with warehouse.materialised(spark.range(5).withColumn("x", F.rand())) as rows:
        assert rows.collect() == rows.collect()
        assert len(list((tmp_path / "warehouse").glob("_scratch*"))) == 1
    assert list((tmp_path / "warehouse").glob("_scratch*")) == []
    if not warehouse.is_path:
        assert warehouse.spark.sql("SHOW TABLES IN spark_catalog.features").isEmpty()


def test_materialised_rows_of_one_process_are_evaluated_once_and_never_written(spark, folder, tmp_path):
    assert not folder.scratch_tables
    counted = spark.sparkContext.accumulator(0)

    def evaluate(batches):
        for batch in batches:
            counted.add(len(batch))
            yield batch

    # Looked up by the id of the rows' own RDD: Delta keeps and drops cached file lists of its tables at any moment.
    kept = spark.sparkContext._jsc.getPersistentRDDs
    with folder.materialised(spark.range(5).mapInPandas(evaluate, "id long").withColumn("x", F.rand())) as rows:
        assert rows.collect() == rows.collect()
        assert rows.where("id < 3").count() == 3
        rdd = rows._jdf.queryExecution().logical().rdd().id()
        assert rdd in set(kept())
    assert counted.value == 5
    assert rdd not in set(kept()), "given back at the end of the block"
    with pytest.raises(Py4JJavaError, match="unpersisted"):
        rows.collect()
    assert not (tmp_path / "warehouse").exists()


def test_a_deletion_request_removes_the_user_from_every_table(spark, warehouse):
    warehouse.insert_new("samples", frame(spark, sample("u1"), sample("u2")))
    fault = [("k", "interactions", "bad_event_time", "u1", "{}", "r1", NOON)]
    warehouse.insert_new("quarantine", spark.createDataFrame(fault, QUARANTINE.spark_schema()))
    assert delete_users(warehouse, spark.createDataFrame([("u1",)], "user_id string")) == {
        "samples": 1,
        "quarantine": 1,
    }
    assert [r.user_id for r in warehouse.read("samples").collect()] == ["u2"]


def version(spark, warehouse, name):
    return spark.sql(f"DESCRIBE HISTORY {warehouse.identifier(name)}").agg(F.max("version")).first()[0]


def labels(warehouse):
    return {(r.user_id, r.item_id): (r.label, r.run_id) for r in warehouse.read("samples").collect()}


def test_a_slice_is_replaced_and_the_rest_of_the_table_is_untouched(spark, warehouse):
    stored = (sample("u1", "i1"), sample("u1", "i2"), sample("u1", "i3"), sample("u2", "i1"))
    warehouse.insert_new("samples", frame(spark, *stored))
    rows = frame(
        spark, sample("u1", "i1", run="r2"), sample("u1", "i2", label=0, run="r2"), sample("u1", "i4", run="r2")
    )
    assert warehouse.replace_slice("samples", rows, "user_id = 'u1'") == 3  # i2 updated, i3 deleted, i4 inserted
    assert labels(warehouse) == {
        ("u1", "i1"): (1, "r1"), ("u1", "i2"): (0, "r2"), ("u1", "i4"): (1, "r2"), ("u2", "i1"): (1, "r1"),
    }  # fmt: skip


def test_a_slice_that_is_the_same_already_is_not_committed_again(spark, warehouse):
    warehouse.insert_new("samples", frame(spark, sample("u1"), sample("u2")))
    before = version(spark, warehouse, "samples")
    assert warehouse.replace_slice("samples", frame(spark, sample("u1", run="r2")), "user_id = 'u1'") == 0
    assert version(spark, warehouse, "samples") == before


def test_a_slice_that_is_replaced_by_no_rows_is_deleted(spark, folder):
    folder.insert_new("samples", frame(spark, sample("u1"), sample("u2")))
    assert folder.replace_slice("samples", frame(spark), "user_id = 'u1' OR label = 0") == 1
    assert set(labels(folder)) == {("u2", "i1")}


def test_a_row_that_was_stored_outside_the_slice_moves_into_it(spark, folder):
    folder.insert_new("samples", frame(spark, sample("u1", label=0), sample("u2")))
    assert folder.replace_slice("samples", frame(spark, sample("u1"), sample("u2")), "label = 1") == 1
    assert {label for label, _ in labels(folder).values()} == {1}


def test_rows_outside_the_slice_that_they_are_to_replace_are_refused(spark, folder):
    folder.insert_new("samples", frame(spark, sample("u1")))
    with pytest.raises(BadInputError, match=r"table samples: 1 rows are outside the slice .*user_id = 'u1'"):
        folder.replace_slice("samples", frame(spark, sample("u1"), sample("u2")), "user_id = 'u1'")
    assert set(labels(folder)) == {("u1", "i1")}


NOTE = Column("note", "string", "the reader's own words", nullable=True)


def next_version(monkeypatch, warehouse, name="samples", **changed):
    """The warehouse as a process of a later trackrec opens it, whose schema of a table has changed."""
    monkeypatch.setitem(TABLES, name, replace(TABLES[name], **changed))
    return Warehouse(warehouse.spark, warehouse.root)


def test_a_new_nullable_column_is_added_to_a_stored_table_and_is_null_in_its_rows(spark, warehouse, monkeypatch):
    warehouse.insert_new("samples", frame(spark, sample("u1")))
    later = next_version(monkeypatch, warehouse, columns=(NOTE, *SAMPLES.columns))
    assert later.read("samples").columns == ["note", *SAMPLES.column_names]
    assert [r.note for r in later.read("samples").collect()] == [None]
    assert described(spark, later, "samples")[0]["note"] == ("string", "the reader's own words")


def test_every_way_to_write_fills_a_column_that_was_added_later_by_name(spark, warehouse, monkeypatch):
    warehouse.insert_new("samples", frame(spark, sample("u1")))
    later = next_version(monkeypatch, warehouse, columns=(NOTE, *SAMPLES.columns))
    later.append("samples", frame(spark, sample("u2")).withColumn("note", F.lit("appended")))
    later.insert_new("samples", frame(spark, sample("u3")).withColumn("note", F.lit("inserted")))
    later.upsert("samples", frame(spark, sample("u1", run="r2")).withColumn("note", F.lit("updated")))
    rows = {r.user_id: (r.note, r.item_id, r.run_id) for r in later.read("samples").collect()}
    assert rows == {"u1": ("updated", "i1", "r2"), "u2": ("appended", "i1", "r1"), "u3": ("inserted", "i1", "r1")}


@pytest.mark.parametrize(
    ("changed", "difference"),
    [
        ({"columns": (*SAMPLES.columns, replace(NOTE, nullable=False))}, "note is missing and may not be NULL"),
        (
            {"columns": (replace(SAMPLES.columns[0], type="bigint"), *SAMPLES.columns[1:])},
            "user_id is string, expected",
        ),
        ({"key": ("user_id", "event_time")}, "its key is user_id,item_id,event_time, expected user_id,event_time"),
    ],
)
def test_a_stored_table_that_cannot_be_mended_is_named_with_the_remedy(spark, folder, monkeypatch, changed, difference):
    folder.insert_new("samples", frame(spark, sample()))
    later = next_version(monkeypatch, folder, **changed)
    for use in (later.read, later.create, lambda name: later.append(name, frame(spark, sample()))):
        with pytest.raises(BadInputError, match=rf"table samples .*{difference}.*Set warehouse .*build_histories"):
            use("samples")
    assert delete_users(later, spark.createDataFrame([("u1",)], "user_id string")) == {
        "samples": 1
    }  # a deletion request is served all the same


def test_a_table_without_a_recorded_key_and_one_with_an_earlier_key_get_the_present_one(spark, warehouse, monkeypatch):
    warehouse.insert_new("samples", frame(spark, sample()))
    identifier, present = warehouse.identifier("samples"), "user_id,item_id,event_time"
    spark.sql(f"ALTER TABLE {identifier} UNSET TBLPROPERTIES ('{KEY_PROPERTY}')")
    assert Warehouse(spark, warehouse.root).read("samples").count() == 1
    assert described(spark, warehouse, "samples")[1][KEY_PROPERTY] == present
    later = next_version(monkeypatch, warehouse, key=(*SAMPLES.key, "window"), earlier_keys=(SAMPLES.key,))
    later.insert_new("samples", frame(spark, sample()).withColumn("window", F.lit("ctr_test")))
    assert later.read("samples").count() == 2
    assert described(spark, later, "samples")[1][KEY_PROPERTY] == present + ",window"


def test_a_table_that_has_all_is_looked_at_once_a_process(spark, folder, monkeypatch):
    folder.insert_new("samples", frame(spark, sample()))
    later, looks = Warehouse(spark, folder.root), []
    monkeypatch.setattr("trackrec.tables.warehouse.migrate_table", lambda *args: looks.append(args[-1].name))
    for _ in range(3):
        later.read("samples")
    later.insert_new("samples", frame(spark, sample("u2")))
    assert looks == ["samples"]


def test_a_table_that_spark_made_is_migrated_by_delta_rs_as_by_spark(spark, warehouse, tmp_path, monkeypatch):
    warehouse.create("feature_gain")
    spark.sql(f"ALTER TABLE {warehouse.identifier('feature_gain')} UNSET TBLPROPERTIES ('{KEY_PROPERTY}')")
    monkeypatch.setitem(TABLES, "feature_gain", replace(FEATURE_GAIN, columns=(NOTE, *FEATURE_GAIN.columns)))
    value = {"string": "x", "timestamp": NOON, "double": 0.5, "bigint": 1}
    row = {c.name: None if c.nullable else value[c.type] for c in FEATURE_GAIN.columns} | {"note": "mine"}
    assert Lake(str(tmp_path / "warehouse")).insert_rows("feature_gain", [row]) == 1
    columns, properties = described(spark, warehouse, "feature_gain")
    assert columns["note"] == ("string", "the reader's own words")
    assert properties[KEY_PROPERTY] == "run_id,arm,seed,backbone"
    later = Warehouse(spark, warehouse.root)
    assert [r.note for r in later.read("feature_gain").collect()] == ["mine"]


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


def test_buckets_within_buckets_take_other_bits_so_that_none_stays_empty(spark):
    keys = spark.range(64).select(key_of("id").alias("key"))
    first = keys.where(bucket_of("key", 2) == 0)
    within = [row[0] for row in first.select(bucket_of("key", 2, part=1)).distinct().collect()]
    assert sorted(within) == [0, 1]
