"""How Spark reads a team's CSV: standard quoting unless the settings say otherwise.

Spark's own defaults take a backslash for the escape and every line break for the end of a row: of the cell
"foldable ""Alba"", red" they make two, without a word. A CSV that Spark wrote with its defaults needs them:
``options: {escape: '\\'}``.
"""

from __future__ import annotations

from collections.abc import Mapping

_MAX_CELL_CHARS = 2_000_000  # a title of 1 MB is cut like any other


def csv_options(given: Mapping[str, str]) -> dict[str, str]:
    """Options of Spark's CSV reader, names in lower case (Spark ignores it): those ``given`` stand above these.

    ``header``; and where quoting is on (``quote`` is not empty) RFC 4180: a doubled quote inside a quoted cell is one
    quote, and a quoted cell may hold line breaks. Every value is read as a string, whatever ``inferSchema`` says.
    """
    options = {name.lower(): value for name, value in given.items()}
    quoting: dict[str, str] = {}
    quote = options.get("quote", '"')
    if quote:
        # Cells of several lines cost the splitting of a file: each file is one task, whatever its size. One task reads
        # 154 MB, 6 million events, in 2.6 s; for more, give a folder of files, or multiLine: false. The limit is for a
        # quote that is opened and never closed: it swallows the rows behind it. Spark fails where they are more than
        # that; where they are fewer, cleaning.py finds the cell by its lines.
        quoting = {"escape": quote, "multiline": "true", "maxcharspercolumn": str(_MAX_CELL_CHARS)}
    # Column types that are guessed change from night to night.
    return {"header": "true"} | quoting | options | {"inferschema": "false"}
