"""The same jobs on ``catalog.schema``: sources and tables by name, the same rows as by path."""

import pytest

from jobs import nightly, train_ctr
from tests.e2e.logs import SMALL_CTR, write_conf
from trackrec.report.__main__ import main as report
from trackrec.tables.schemas import TABLES

pytestmark = pytest.mark.e2e

# A night and the CTR job write these; the log has no faulty row, and the feedback loop is not run.
WRITTEN = (
    "samples", "user_histories", "reccots", "reccot_staging", "reccot_embeddings", "reccot_vectors",
    "item_vectors", "runs", "feature_gain", "gain_slices", "feature_projections",
)  # fmt: skip
OF_THE_RUN = {"run_id", "created_time", "started_time", "config_hash", "latency_ms", "engine_id"}


@pytest.fixture(scope="module")
def filled(spark, tmp_path_factory):
    """A night and the CTR job on a path and CSV files, then on a schema and Delta tables by name: their folder.

    By name they keep what is in between in scratch tables, as on a cluster.
    """
    folder = tmp_path_factory.mktemp("catalog")
    for schema in ("shop", "features"):
        spark.sql(f"CREATE SCHEMA spark_catalog.{schema} LOCATION '{folder}/{schema}'")
    write_conf(folder, ctr=SMALL_CTR)
    for name in ("log", "items"):
        log = spark.read.option("header", "true").csv(f"{folder}/{name}.csv")
        log.writeTo(f"spark_catalog.shop.{name}").using("delta").create()
    for flags, one_process in ((by_path(folder), True), (by_name(folder), False)):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("trackrec.tables.warehouse.is_local", lambda spark, one_process=one_process: one_process)
            assert nightly.main(flags) == 0
            assert train_ctr.main(flags) == 0
    yield folder
    for schema in ("shop", "features"):
        spark.sql(f"DROP SCHEMA spark_catalog.{schema} CASCADE")


def by_path(folder, *sets):
    return ["--conf", str(folder / "conf.yaml"), *(part for text in sets for part in ("--set", text))]


def by_name(folder, *sets):
    named = {"interactions": "log", "items": "items"}
    return by_path(
        folder,
        "warehouse=spark_catalog.features",
        *(f"source.{ours}.path=spark_catalog.shop.{theirs}" for ours, theirs in named.items()),
        *(f"source.{ours}.format=delta" for ours in named),
        *sets,
    )


def contents(rows):
    return sorted(str(without_times(row.asDict(True))) for row in rows.collect())


def without_times(row):
    """A row without what differs from run to run: the ledger's seconds of each stage too."""
    kept = {name: value for name, value in row.items() if name not in OF_THE_RUN}
    if "counts" in kept:
        kept["counts"] = {name: n for name, n in kept["counts"].items() if not name.endswith("_seconds")}
    return kept


@pytest.mark.parametrize("table", WRITTEN)
def test_a_table_holds_the_same_by_name_as_by_path(filled, spark, table):
    by_path = contents(spark.read.format("delta").load(f"{filled}/warehouse/{table}"))
    assert contents(spark.table(f"spark_catalog.features.{table}")) == by_path != []


def test_both_jobs_are_in_the_ledger(filled, spark):
    runs = spark.table("spark_catalog.features.runs").collect()
    assert {r.job: r.status for r in runs} == {"nightly": "done", "train_ctr": "done"}


def test_jobs_by_name_leave_no_scratch_table(filled, spark):
    assert {r.tableName for r in spark.sql("SHOW TABLES IN spark_catalog.features").collect()} <= set(TABLES)


@pytest.mark.slow
def test_a_second_night_by_name_writes_nothing(filled, spark, capsys):
    before = contents(spark.table("spark_catalog.features.reccot_vectors"))
    assert nightly.main(by_name(filled)) == 0
    assert "generate   0 rows" in capsys.readouterr().out
    assert contents(spark.table("spark_catalog.features.reccot_vectors")) == before


def test_the_report_tells_how_to_read_the_tables_by_name_and_where_they_lie(filled, capsys):
    assert report(["tables", *by_name(filled)]) == 0
    out = capsys.readouterr().out
    assert out.startswith("Delta tables in spark_catalog.features\n")
    assert 'spark.table("`spark_catalog`.`features`.`reccot_vectors`")' in out
    assert f'polars.read_delta("{filled}/features/reccot_vectors")' in out
    assert report(["reccots", *by_name(filled)]) == 0
    assert "RecCoT    The user" in capsys.readouterr().out


@pytest.mark.parametrize("job", [nightly.main, train_ctr.main, lambda flags: report(["tables", *flags])])
def test_a_missing_schema_ends_with_2_and_one_line_and_is_not_made(filled, spark, capsys, job):
    assert job(by_name(filled, "warehouse=spark_catalog.nowhere")) == 2
    assert capsys.readouterr().err == (
        "error: schema spark_catalog.nowhere does not exist. "
        "Run CREATE SCHEMA `spark_catalog`.`nowhere` in Spark SQL, or set warehouse.\n"
    )
    assert not spark.catalog.databaseExists("spark_catalog.nowhere")


def test_a_missing_source_table_is_named(filled, capsys):
    assert nightly.main(by_name(filled, "source.items.path=spark_catalog.shop.nothing")) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "table items: spark_catalog.shop.nothing does not exist" in error
    assert "TABLE_OR_VIEW_NOT_FOUND" in error
