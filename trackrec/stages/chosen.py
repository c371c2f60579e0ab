"""model_versions: which G a loop chose to be served, one a loop."""

from __future__ import annotations

from pathlib import Path

from trackrec.feedback.chosen import chosen_of
from trackrec.feedback.loop_state import LoopState
from trackrec.models.resolve import resolve_model
from trackrec.tables.warehouse import Warehouse

_SAME = "old.version = new.version AND old.round = new.round"
_MARKED = "coalesce(array_contains(old.chosen, new.loop), false)"
_CHOSEN = (
    f"CASE WHEN {_SAME} THEN array_union(coalesce(old.chosen, CAST(array() AS array<string>)), array(new.loop)) "
    "ELSE array_remove(old.chosen, new.loop) END"
)


def choose_generator(tables: Warehouse, loop: LoopState, cache: Path) -> str:
    """Mark the G that ``chosen_of`` names, which the report names as well; returns it as model.source takes it.

    Weights are looked for in ``cache``. Raises BadInputError as ``resolve_model`` and ``mark_chosen``.
    """
    number, source = chosen_of(loop)
    mark_chosen(tables, loop.name, resolve_model(source, cache).version, number)
    return source


def mark_chosen(tables: Warehouse, loop: str, version: str, number: int) -> int:
    """Make G ``version`` of round ``number`` the one that ``loop`` (``LoopState.name``) chose, and no other.

    What other loops chose stays. Returns rows changed: none where it was so before. Raises BadInputError where
    ``model_versions`` was never written.
    """
    row = tables.spark.createDataFrame([(loop, version, number)], "loop string, version string, round int")
    wrong = f"old.role = 'generator' AND ({_SAME}) != {_MARKED}"
    return tables.update("model_versions", row, wrong, {"chosen": _CHOSEN})
