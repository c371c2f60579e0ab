"""Prints docs/tables.md: ``python -m trackrec.tables.schemas > docs/tables.md``."""

from __future__ import annotations

from collections.abc import Iterable

from trackrec.tables.contract import Table
from trackrec.tables.schemas import TABLES

_HEAD = (
    "# Tables",
    "",
    "Generated from `trackrec/tables/schemas/` by `make docs`; a test keeps it fresh.",
    "`jobs/nightly.py` runs the steps of the pipeline's jobs and `jobs/alternate.py` those of the feedback loop's,",
    "so that they write the tables of these jobs too.",
    "",
)


def markdown(tables: Iterable[Table]) -> str:
    """docs/tables.md: every table with its key, writer, columns and constraints."""
    return "\n".join([*_HEAD, *(line for table in tables for line in _section(table))])


def _section(table: Table) -> list[str]:
    kind = "read, never written" if table.external else f"written by {table.writer}"
    return [
        *(f"## {table.name}", "", table.comment, "", f"Key: `{', '.join(table.key)}` · {kind}", ""),
        *("| column | type | null | meaning |", "|---|---|---|---|"),
        *(
            f"| {c.name} | `{c.type}` | {'yes' if c.nullable else 'no'} | {c.comment.replace('|', chr(92) + '|')} |"
            for c in table.columns
        ),
        *(f"\nConstraint `{name}`: `{sql}`" for name, sql in table.checks),
        "",
    ]


if __name__ == "__main__":
    print(markdown(TABLES.values()), end="")
