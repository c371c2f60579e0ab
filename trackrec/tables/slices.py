"""Parts of a table as SQL."""

from __future__ import annotations

from collections.abc import Collection


def slice_where(**values: str | Collection[str]) -> str:
    """SQL that holds for the rows whose columns have these values, e.g. ``sampling = '{"n":1}'``, or one of several."""
    return " AND ".join(
        f"{column} = {_literal(value)}"
        if isinstance(value, str)
        else f"{column} IN ({', '.join(map(_literal, sorted(value)))})"
        for column, value in values.items()
    )


def _literal(text: str) -> str:
    """A Spark SQL string: sampling parameters are JSON with backslashes."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
