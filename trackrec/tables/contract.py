"""What a table promises: columns, types, key, constraints; and the check of a frame against it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from trackrec.runtime.errors import BadInputError

STAMP = ("run_id", "created_time")  # who wrote a row and when


@dataclass(frozen=True)
class Column:
    """One column: name, Spark SQL type, what it means, and whether NULL may stand in it."""

    name: str
    type: str
    comment: str
    nullable: bool = False


@dataclass(frozen=True)
class Table:
    """One table: its columns, the key that is unique in it, CHECK constraints (name, SQL), and the jobs that write it.

    ``earlier_keys``: keys of earlier versions that this one only widens, so that their rows stay valid. ``external``
    tables belong to the team that runs trackrec; we read them and never create them.
    """

    name: str
    comment: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    writer: str
    checks: tuple[tuple[str, str], ...] = ()
    external: bool = False
    earlier_keys: tuple[tuple[str, ...], ...] = ()

    @property
    def column_names(self) -> list[str]:
        """Names in the table's order."""
        return [c.name for c in self.columns]

    def column(self, name: str) -> Column:
        """The column called ``name``; KeyError when there is none."""
        return {c.name: c for c in self.columns}[name]

    @property
    def without_stamp(self) -> Table:
        """This table without run_id and created_time, which ``Run.stamp`` adds when the rows are written."""
        return replace(self, columns=tuple(c for c in self.columns if c.name not in STAMP))

    def spark_schema(self) -> str:
        """The schema string for ``createDataFrame`` and ``mapInPandas``, e.g. ``user_id string, as_of timestamp``."""
        return ", ".join(f"{c.name} {c.type}" for c in self.columns)


def check_columns(table: Table, present: Iterable[tuple[str, str]], *, where: str) -> None:
    """Raise BadInputError naming every missing, extra or wrongly typed column of a frame meant for ``table``.

    ``present`` holds (name, Spark SQL type) pairs, e.g. ``df.dtypes``; ``where`` says where the frame came from.
    """
    types = dict(present)
    faults = []
    missing = [c.name for c in table.columns if c.name not in types]
    extra = [name for name in types if name not in table.column_names]
    if missing:
        faults.append(f"missing {', '.join(missing)}")
    if extra:
        faults.append(f"unexpected {', '.join(extra)}")
    faults += [
        f"{c.name} is {types[c.name]}, expected {c.type}"
        for c in table.columns
        if c.name in types and types[c.name] != c.type
    ]
    if faults:
        raise BadInputError(
            f"table {table.name} ({where}): {'; '.join(faults)}. Present: {', '.join(types) or 'no column'}.",
            "Map the columns under source.<table>.columns in conf/, or rebuild the table.",
        )
