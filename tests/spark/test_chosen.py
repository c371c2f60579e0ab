"""Which G of model_versions each loop chose: one a loop, and no loop moves what another chose."""

from datetime import UTC, datetime

import pytest

from trackrec.stages.chosen import mark_chosen
from trackrec.tables.warehouse import Warehouse

pytestmark = pytest.mark.spark


@pytest.fixture
def tables(spark, tmp_path):
    tables = Warehouse(spark, str(tmp_path / "warehouse"))
    stamp = {"run_id": "r", "created_time": datetime(2024, 1, 1, tzinfo=UTC)}
    made = {"parent": "base@0", "source": "adapter:a", "data": {}, "metrics": {}, "chosen": None} | stamp
    named = [("generator", "g@0", 0), ("generator", "g@1", 1), ("validator", "g@1", 1)]
    tables.insert_rows("model_versions", [{"role": r, "version": v, "round": n} | made for r, v, n in named])
    return tables


def chosen(tables):
    """(role, round) → the loops that chose it, where there are any."""
    rows = tables.read("model_versions").collect()
    return {(row["role"], row["round"]): sorted(row["chosen"]) for row in rows if row["chosen"]}


def test_a_loop_chooses_one_g_and_its_earlier_choice_is_unmarked(tables):
    assert mark_chosen(tables, "loop a", "g@0", 0) == 1
    assert chosen(tables) == {("generator", 0): ["loop a"]}
    assert mark_chosen(tables, "loop a", "g@1", 1) == 2
    assert chosen(tables) == {("generator", 1): ["loop a"]}


def test_what_another_loop_chose_stays(tables):
    mark_chosen(tables, "loop a", "g@0", 0)
    mark_chosen(tables, "loop b", "g@0", 0)
    assert chosen(tables) == {("generator", 0): ["loop a", "loop b"]}
    mark_chosen(tables, "loop b", "g@1", 1)
    assert chosen(tables) == {("generator", 0): ["loop a"], ("generator", 1): ["loop b"]}


def test_choosing_the_same_again_changes_nothing(tables):
    mark_chosen(tables, "loop a", "g@1", 1)
    assert mark_chosen(tables, "loop a", "g@1", 1) == 0
