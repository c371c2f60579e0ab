"""model_versions: which G a loop chose to be served, one a loop."""

from __future__ import annotations

from trackrec.tables.warehouse import Warehouse

_SAME = "old.version = new.version AND old.round = new.round"
_MARKED = "coalesce(array_contains(old.chosen, new.loop), false)"
_CHOSEN = (
    f"CASE WHEN {_SAME} THEN array_union(coalesce(old.chosen, CAST(array() AS array<string>)), array(new.loop)) "
    "ELSE array_remove(old.chosen, new.loop) END"
)


def mark_chosen(tables: Warehouse, loop: str, version: str, number: int) -> int:
    """Make G ``version`` of round ``number`` the one that ``loop`` (``LoopState.name``) chose, and no other.

    What other loops chose stays. Returns rows changed: none where it was so before. Raises BadInputError where
    ``model_versions`` was never written.
    """
    row = tables.spark.createDataFrame([(loop, version, number)], "loop string, version string, round int")
    wrong = f"old.role = 'generator' AND ({_SAME}) != {_MARKED}"
    return tables.update("model_versions", row, wrong, {"chosen": _CHOSEN})
