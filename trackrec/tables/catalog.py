"""The tables of ``catalog.schema`` for readers that need no Spark: it is asked where they lie, and makes the writes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from trackrec.runtime.places import without_scheme
from trackrec.tables.lake import Lake
from trackrec.tables.warehouse import Warehouse


class CatalogLake(Lake):
    """A Lake whose tables lie where the catalog says. Each is asked for once; what it holds is read by delta-rs.

    Writes go through Spark: on governed catalogs nobody else may write a table's files.
    """

    def __init__(self, warehouse: Warehouse) -> None:
        super().__init__(warehouse.root)
        self._warehouse = warehouse
        self._found: dict[str, str] = {}

    def uri(self, name: str) -> str:
        """Where the table lies, as delta-rs takes it. BadInputError names a missing table."""
        if name not in self._found:
            self._found[name] = without_scheme(self._warehouse.location(name))
        return self._found[name]

    def exists(self, name: str) -> bool:
        """Whether the table was created."""
        return self._warehouse.exists(name)

    def spark_expression(self, name: str) -> str:
        """The Python expression that reads the table with Spark."""
        return f'spark.table("{self._warehouse.identifier(name)}")'

    def insert_rows(self, name: str, rows: Sequence[Mapping[str, Any]], replacing: str | None = None) -> int:
        """As ``Lake.insert_rows``."""
        return self._warehouse.insert_rows(name, rows, replacing)
