"""How Spark creates a Delta table of a schema, and brings one of an earlier version up to it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from delta.tables import DeltaTable, DeltaTableBuilder
from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from trackrec.runtime.errors import BadInputError
from trackrec.runtime.places import quoted
from trackrec.tables.contract import Column, Table
from trackrec.tables.migration import KEY_PROPERTY, Migration, StoredTable, key_text, migration_of
from trackrec.tables.spark_errors import error_condition

# deltalake (delta-rs) refuses tables with these features, and consumers read ours with it.
_READABLE_WITHOUT_SPARK = {
    "delta.enableDeletionVectors": "false",
    "delta.columnMapping.mode": "none",
    "delta.checkpointPolicy": "classic",
}


def create_at_path(spark: SparkSession, path: str, table: Table) -> None:
    """Create ``table`` in the folder or URI ``path`` unless it is there: comments, NOT NULL, key, CHECK constraints."""
    _described(DeltaTable.createIfNotExists(spark).location(path), table).execute()


def create_in_schema(spark: SparkSession, schema: str, table: Table) -> None:
    """As ``create_at_path``, in the schema ``catalog.schema``, which must be there."""
    catalog, database = schema.split(".")
    with _current_catalog(spark, catalog):
        builder = DeltaTable.createIfNotExists(spark).tableName(quoted(f"{database}.{table.name}"))
        _described(builder, table).execute()


def migrate_table(spark: SparkSession, identifier: str, table: Table) -> None:
    """Bring a stored table up to ``table`` as migration.py has it; BadInputError where that cannot be."""
    migration = migration_of(table, stored_table(spark, identifier))
    if not migration.needed:
        return
    try:
        _apply(spark, identifier, migration)
    except (PySparkException, Py4JJavaError):
        # Another job may have done the same in the meantime.
        if migration_of(table, stored_table(spark, identifier)).needed:
            raise


def stored_table(spark: SparkSession, identifier: str) -> StoredTable:
    """What Spark knows of a stored table; reads its log, no rows."""
    properties = spark.sql(f"SHOW TBLPROPERTIES {identifier}").collect()
    return StoredTable(
        identifier, dict(spark.table(identifier).dtypes), {row["key"]: row["value"] for row in properties}
    )


def _described(builder: DeltaTableBuilder, table: Table) -> DeltaTableBuilder:
    """All of ``table`` in the one commit that creates it: a job that is killed leaves no table that lacks a check.

    CHECK constraints are properties to Delta, and as such they come with CREATE TABLE. By ALTER TABLE ADD CONSTRAINT
    each is a commit and a scan of its own: a table with two took 6.6 s to create, so it takes 1.0.
    """
    builder = builder.comment(table.comment)
    for column in table.columns:
        builder = builder.addColumn(column.name, column.type, nullable=column.nullable, comment=column.comment)
    checks = {f"delta.constraints.{name}": check for name, check in table.checks}
    for name, value in (_READABLE_WITHOUT_SPARK | checks | {KEY_PROPERTY: key_text(table.key)}).items():
        builder = builder.property(name, value)
    return builder


@contextmanager
def _current_catalog(spark: SparkSession, catalog: str) -> Iterator[None]:
    """Delta 4.4.0's builder takes schema.table and no more: it creates in the catalog that is current."""
    previous, database = spark.catalog.currentCatalog(), spark.catalog.currentDatabase()
    if catalog == previous:
        yield
        return
    spark.catalog.setCurrentCatalog(catalog)
    try:
        yield
    finally:
        spark.catalog.setCurrentCatalog(previous)
        spark.catalog.setCurrentDatabase(database)


def _apply(spark: SparkSession, identifier: str, migration: Migration) -> None:
    if migration.new_columns:
        columns = ", ".join(map(_column_text, migration.new_columns))
        spark.sql(f"ALTER TABLE {identifier} ADD COLUMNS ({columns})")
    if migration.key is not None:
        spark.sql(f"ALTER TABLE {identifier} SET TBLPROPERTIES ('{KEY_PROPERTY}' = '{migration.key}')")


def _column_text(column: Column) -> str:
    comment = column.comment.replace("\\", "\\\\").replace("'", "\\'")
    return f"{column.name} {column.type} COMMENT '{comment}'"


def check_schema(spark: SparkSession, root: str) -> None:
    """Raise BadInputError where the schema ``root``, <catalog>.<schema>, is not there or cannot be used."""
    try:
        spark.sql(f"DESCRIBE SCHEMA {quoted(root)}")
    except (PySparkException, Py4JJavaError) as error:
        if error_condition(error) == "SCHEMA_NOT_FOUND":
            raise BadInputError(
                f"schema {root} does not exist.", f"Run CREATE SCHEMA {quoted(root)} in Spark SQL, or set warehouse."
            ) from None
        catalog = root.split(".")[0]
        raise BadInputError(
            f"schema {root} cannot be used: Spark knows no catalog {catalog}, or may not use it "
            f"({error_condition(error)}).",
            f"Set spark.sql.catalog.{catalog} in spark-defaults.conf, ask for USE SCHEMA on {root}, or set warehouse.",
        ) from None
