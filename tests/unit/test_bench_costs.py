"""What texts cost, out of the rows that they are stored in."""

from datetime import UTC, datetime, timedelta

import pytest

from bench.costs import cost_of


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
