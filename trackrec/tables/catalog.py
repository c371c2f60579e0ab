"""The tables of the settings' warehouse for readers without Spark, by path or by catalog name.

pyspark is imported only where the warehouse is ``catalog.schema``: Spark then says where the tables lie, and writes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from trackrec.runtime.places import is_path, without_scheme
from trackrec.runtime.settings import Settings
from trackrec.tables.lake import Lake

if TYPE_CHECKING:
    from trackrec.tables.warehouse import Warehouse


class CatalogLake(Lake):
    """A Lake whose tables lie where the catalog says. Each is looked up once; its rows are read by delta-rs.

    Writes go through Spark: on governed catalogs nobody else may write a table's files.
    """

    def __init__(self, warehouse: Warehouse) -> None:
        super().__init__(warehouse.root)
        self._warehouse = warehouse
        self._uris: dict[str, str] = {}

    def uri(self, name: str) -> str:
        """Where the table lies, as delta-rs takes it. BadInputError names a missing table."""
        if name not in self._uris:
            self._uris[name] = without_scheme(self._warehouse.location(name))
        return self._uris[name]

    def exists(self, name: str) -> bool:
        """Whether the table was created."""
        return self._warehouse.exists(name)

    def spark_expression(self, name: str) -> str:
        """The Python expression that reads the table with Spark."""
        return f'spark.table("{self._warehouse.identifier(name)}")'

    def insert_rows(self, name: str, rows: Sequence[Mapping[str, Any]], replacing: str | None = None) -> int:
        """As ``Lake.insert_rows``."""
        return self._warehouse.insert_rows(name, rows, replacing)


def lake_of(settings: Settings, app_name: str) -> Lake:
    """The tables of ``settings.warehouse``; Spark is started only where that is a catalog name.

    Raises BadInputError as ``Warehouse`` does.
    """
    if is_path(settings.warehouse):
        return Lake(settings.warehouse)
    from trackrec.runtime.session import spark_session
    from trackrec.tables.warehouse import Warehouse

    return CatalogLake(Warehouse(spark_session(settings, app_name), settings.warehouse))
