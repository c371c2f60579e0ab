"""What texts cost, out of the rows that they are stored in."""

from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest
from deltalake import write_deltalake

from bench.costs import Cost, cost_of, costs_of
from trackrec.ctr.results import GainRow
from trackrec.tables.lake import Lake


def text(run_id, minute, prompt_tokens=100, output_tokens=50):
    created = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=minute)
    tokens = {"prompt_tokens": prompt_tokens, "output_tokens": output_tokens}
    return {"run_id": run_id, "created_time": created, **tokens}


def test_tokens_are_summed_over_all_texts():
    cost = cost_of([text("a", 0), text("a", 0, output_tokens=70), text("b", 9, prompt_tokens=30)])
    assert (cost.texts, cost.prompt_tokens, cost.output_tokens) == (3, 230, 170)


def test_the_first_chunk_of_a_run_counts_with_the_pace_of_the_others():
    assert cost_of([text("a", 0), text("a", 0), text("a", 4), text("a", 4)]).minutes == pytest.approx(8)


def test_the_pause_between_two_runs_is_no_cost():
    texts = [text("a", 0), text("a", 2), text("b", 600), text("b", 602)]
    assert cost_of(texts).minutes == pytest.approx(8)


def test_texts_of_one_chunk_have_no_minutes():
    assert cost_of([text("a", 0), text("a", 0)]).minutes is None


def arm(name, version):
    figures = {"test_auc": 0.7, "test_logloss": 0.6, "validation_auc": 0.7, "train_rows": 9, "test_rows": 9}
    return [GainRow(arm=name, seed=1, backbone="DIN", feature_version=version, **figures)]


def test_descriptions_are_read_only_for_the_arm_that_uses_them(tmp_path):
    written = [text("a", 0) | {"row_key": key, "generator_version": "g"} for key in ("k1", "k2")]
    write_deltalake(tmp_path / "reccots", pa.Table.from_pylist(written))
    published = [{"row_key": "k1", "feature_version": "v1"}, {"row_key": "k2", "feature_version": "v2"}]
    write_deltalake(tmp_path / "reccot_vectors", pa.Table.from_pylist(published))
    write_deltalake(tmp_path / "item_descriptions", pa.table({"of_another_version": [1]}))  # reading it is an error
    costs = costs_of(Lake(str(tmp_path)), {"plain": arm("plain", None), "reccot": arm("reccot", "v1")})
    assert costs == {"reccot": Cost(1, 100, 50, None)}
