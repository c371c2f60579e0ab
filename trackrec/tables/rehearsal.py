"""A warehouse to try a run on: what would be written is kept beside the stored tables, and nothing is."""

from __future__ import annotations

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from trackrec.tables.schemas import TABLES
from trackrec.tables.warehouse import Warehouse


class Rehearsal(Warehouse):
    """A ``Warehouse`` whose MERGEs stay in Spark's memory: later reads see them, the tables never do.

    Takes no lease and migrates nothing: a column that a stored table lacks is NULL. Other writes than MERGE raise.
    """

    def __init__(self, spark: SparkSession, root: str) -> None:
        super().__init__(spark, root)
        self.scratch_tables = False
        self._written: dict[str, DataFrame] = {}

    def exists(self, name: str) -> bool:
        """Whether the table is there, or would be by now."""
        return name in self._written or super().exists(name)

    def create(self, name: str) -> None:
        """Let the table be there."""
        if not self.exists(name):
            self._written[name] = self.spark.createDataFrame([], TABLES[name].spark_schema())

    def read(self, name: str) -> DataFrame:
        """The table as it would be by now."""
        self._require(name)
        written = self._written.get(name)
        if not super().exists(name):
            assert written is not None  # for it exists
            return written
        stored = self._stored(name)
        if written is None:
            return stored
        return stored.join(written, list(TABLES[name].key), "left_anti").unionByName(written)

    def hold(self, name: str = "") -> None:
        """Called before each write to a table: there is none in a rehearsal."""
        raise RuntimeError(f"a rehearsal would write to {name or 'a scratch table'}")

    def replace_slice(self, name: str, rows: DataFrame, where: str) -> int:
        """Raises: it is no MERGE of new rows alone."""
        self.hold(name)
        return 0

    def drop(self, name: str) -> None:
        """Raises: a rehearsal has no table of its own."""
        self.hold(name)

    def _stored(self, name: str) -> DataFrame:
        stored = self.spark.table(self.identifier(name))
        columns = TABLES[name].columns
        return stored.select(
            *[
                F.col(c.name) if c.name in stored.columns else F.lit(None).cast(c.type).alias(c.name)
                for c in columns
            ]
        )  # fmt: skip

    def _merge(self, name: str, rows: DataFrame, *, update_where: str | None) -> int:
        table = TABLES[name]
        self.create(name)
        new = self._news_of(name, rows, update_where).localCheckpoint()
        before = self._written.get(name)
        if before is not None:
            self._written[name] = before.join(new, list(table.key), "left_anti").unionByName(new)
        else:
            self._written[name] = new
        return new.count()
