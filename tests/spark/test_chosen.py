"""Which G of model_versions each loop chose: one a loop, and no loop moves what another chose."""

from datetime import UTC, datetime

import pytest

from tests.conftest import CONF
from trackrec.feedback.loop_state import LoopStep, open_loop
from trackrec.models.resolve import resolve_model
from trackrec.report.rounds import round_tables
from trackrec.runtime.events import Outcome
from trackrec.runtime.settings_files import load_settings
from trackrec.stages.alternate import models_of
from trackrec.stages.chosen import choose_generator, mark_chosen
from trackrec.tables.warehouse import Warehouse

pytestmark = pytest.mark.spark


STAMP = {"run_id": "r", "created_time": datetime(2024, 1, 1, tzinfo=UTC)}


@pytest.fixture
def tables(spark, tmp_path):
    tables = Warehouse(spark, str(tmp_path / "warehouse"))
    made = {"parent": "base@0", "source": "adapter:a", "data": {}, "metrics": {}, "chosen": None} | STAMP
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


@pytest.fixture
def weights(tmp_path):
    """Sources of three models in transformers' layout."""
    for name in "abc":
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.json").write_text("{}")
        (tmp_path / name / "model.safetensors").write_bytes(name.encode())
    return {name: f"path:{tmp_path / name}" for name in "abc"}


def test_what_a_loop_has_measured_stays_chosen_when_its_gate_is_closed_again(tables, weights, tmp_path):
    """A run with loop.gate=report aligned G_1, which gained; one with require ends at the gate of round 1."""
    settings = load_settings(CONF, [f"models={tmp_path}/models"])
    loop, cache = open_loop(settings, {}), settings.cache_dir()
    gain = {"G_0": {"auc": 0.1, "low": 0.1, "high": 0.1, "uauc": 0.1, "uauc_low": 0.01, "uauc_high": 0.2}}
    gain["G_0"] |= {"users": 40, "moved": 0.1}
    for number, (kind, source) in enumerate([("distill", "a"), ("align", "b")]):
        texts = {f"G_{n}": {"tokens": 9.0} for n in range(number + 1)}
        shown = {"validator": {}, "reccots": texts, "differences": gain if number else {}}
        loop.record(LoopStep(number, kind), Outcome(kind, labels={"source": weights[source]}))
        loop.record(LoopStep(number, "measure"), Outcome("measure", tables=shown))
    loop.record(LoopStep(1, "gate"), Outcome("gate", {"passed": 0}, labels={"why": "Round 1: V_0 has not shown it."}))
    row = {"role": "generator", "parent": None, "data": {}, "metrics": {}, "chosen": None} | STAMP
    made = [(n, weights[name], resolve_model(weights[name], cache).version) for n, name in enumerate("ab")]
    tables.insert_rows("model_versions", [row | {"round": n, "source": s, "version": v} for n, s, v in made])
    for _ in range(2):
        again = open_loop(settings, {})
        assert choose_generator(tables, again, cache) == weights["b"]
        assert chosen(tables) == {("generator", 1): [loop.name]}
        assert f"Chosen: G_1; no other round was aligned.\n--set generator.model.source={weights['b']}" in round_tables(
            again, 1
        )


def test_a_loop_is_known_by_the_weights_of_g_and_of_both_vs(weights):
    named = [f"generator.model.source={weights['a']}", f"validator.model.source={weights['b']}"]
    alone = models_of(load_settings(CONF, named))
    both = models_of(load_settings(CONF, [*named, f"validator.counterpart.source={weights['c']}"]))
    assert set(alone) == {"generator", "validator"}
    assert both == alone | {"counterpart": resolve_model(weights["c"], load_settings(CONF).cache_dir()).version}
