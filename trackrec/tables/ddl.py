"""How Spark creates a Delta table of a schema, and brings one of an earlier version up to it."""

from __future__ import annotations

from delta.tables import DeltaTable
from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from trackrec.tables.contract import Column, Table
from trackrec.tables.migration import KEY_PROPERTY, Migration, StoredTable, key_text, migration_of

# deltalake (delta-rs) refuses tables with these features, and consumers read ours with it.
_READABLE_WITHOUT_SPARK = {
    "delta.enableDeletionVectors": "false",
    "delta.columnMapping.mode": "none",
    "delta.checkpointPolicy": "classic",
}


def create_table(spark: SparkSession, identifier: str, table: Table) -> None:
    """Create ``table`` with comments, NOT NULL, its key as a property, and CHECK constraints, unless it is there.

    ``identifier`` is a catalog name or delta.`<path>`, as SQL takes it.
    """
    builder = DeltaTable.createIfNotExists(spark).tableName(identifier).comment(table.comment)
    for column in table.columns:
        builder = builder.addColumn(column.name, column.type, nullable=column.nullable, comment=column.comment)
    for name, value in (_READABLE_WITHOUT_SPARK | {KEY_PROPERTY: key_text(table.key)}).items():
        builder = builder.property(name, value)
    builder.execute()
    for constraint, check in table.checks:  # Delta takes none when a table is created
        spark.sql(f"ALTER TABLE {identifier} ADD CONSTRAINT {constraint} CHECK ({check})")


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


def _apply(spark: SparkSession, identifier: str, migration: Migration) -> None:
    if migration.new_columns:
        columns = ", ".join(map(_column_text, migration.new_columns))
        spark.sql(f"ALTER TABLE {identifier} ADD COLUMNS ({columns})")
    if migration.key is not None:
        spark.sql(f"ALTER TABLE {identifier} SET TBLPROPERTIES ('{KEY_PROPERTY}' = '{migration.key}')")


def _column_text(column: Column) -> str:
    comment = column.comment.replace("\\", "\\\\").replace("'", "\\'")
    return f"{column.name} {column.type} COMMENT '{comment}'"
