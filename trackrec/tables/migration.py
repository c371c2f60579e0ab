"""What an older stored table lacks of its schema, and which differences cannot be mended in place.

A warehouse outlives the version of trackrec that made it. New nullable columns are added to its tables, and a key that
only became wider is recorded; anything else would leave rows that say something else than the schema does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from trackrec.runtime.errors import BadInputError
from trackrec.tables.contract import Column, Table

KEY_PROPERTY = "trackrec.key"  # table property: the key that the rows of the table are unique in


@dataclass(frozen=True)
class StoredTable:
    """A table as it is stored: where, its columns (name to Spark SQL type), and its table properties."""

    place: str
    columns: Mapping[str, str]
    properties: Mapping[str, str]


@dataclass(frozen=True)
class Migration:
    """What is to be done to a stored table: columns to add, and the text of its key where that is to be recorded."""

    new_columns: tuple[Column, ...]
    key: str | None

    @property
    def needed(self) -> bool:
        """Whether there is anything to do."""
        return bool(self.new_columns) or self.key is not None


def key_text(key: tuple[str, ...]) -> str:
    """A key as the table property has it: row_key,item_id."""
    return ",".join(key)


def migration_of(table: Table, stored: StoredTable) -> Migration:
    """What brings ``stored`` up to its schema ``table``.

    A table without a recorded key is of a version that recorded none, and gets the present one. Columns that the
    schema does not have are left alone. Raises BadInputError naming every difference that cannot be mended: a column
    of another type, a missing column that may not be NULL, a key that is neither the present nor an earlier one.
    """
    recorded = stored.properties.get(KEY_PROPERTY)
    faults = [
        f"{c.name} is {stored.columns[c.name]}, expected {c.type}"
        for c in table.columns
        if c.name in stored.columns and stored.columns[c.name] != c.type
    ]
    absent = [c for c in table.columns if c.name not in stored.columns]
    faults += [f"{c.name} is missing and may not be NULL" for c in absent if not c.nullable]
    if recorded not in {None, key_text(table.key), *map(key_text, table.earlier_keys)}:
        faults.append(f"its key is {recorded}, expected {key_text(table.key)}")
    if faults:
        raise BadInputError(
            f"table {table.name} ({stored.place}) is not what this version of trackrec writes: {'; '.join(faults)}.",
            f"Set warehouse to a new place, or move the table away and build it again with {table.writer}.",
        )
    return Migration(tuple(absent), None if recorded == key_text(table.key) else key_text(table.key))
