"""Requests wait in order, run in batches, and are refused where their prompt is too long."""

import pytest

from trackrec.engines.interface import Finished, Request
from trackrec.engines.queue import BatchEngine


class WordChat:
    """A word is a token; four fit."""

    def ids(self, request):
        return list(range(len(request.prompt.split())))

    def fault(self, ids):
        return "prompt_too_long: words" if len(ids) > 4 else None


class Echo(BatchEngine):
    """Finishes each request at once; remembers the batches."""

    def __init__(self):
        super().__init__(WordChat(), 2)
        self.batches = []

    def _run(self, batch):
        keys = [queued.request.key for queued in batch]
        self.batches.append(keys)
        if "poison" in keys:
            raise RuntimeError("broken")
        return [Finished(queued.request.key, (), len(queued.prompt_ids), queued.latency_ms()) for queued in batch]


@pytest.fixture
def engine():
    return Echo()


def submit(engine, *keys, prompt="a b"):
    for key in keys:
        engine.submit(Request(key, prompt, "", 0))


def test_requests_run_in_their_order_in_batches_of_the_engines_size(engine):
    submit(engine, "a", "b", "c")
    assert [outcome.key for _ in range(2) for outcome in engine.step()] == ["a", "b", "c"]
    assert engine.batches == [["a", "b"], ["c"]]
    assert engine.unfinished == 0


def test_a_prompt_that_is_too_long_is_refused_and_runs_in_no_batch(engine):
    submit(engine, "long", prompt="a b c d e")
    submit(engine, "short")
    assert engine.unfinished == 2
    refused, served = engine.step()
    assert (refused.key, refused.error, refused.error_kind) == ("long", "prompt_too_long: words", "permanent")
    assert (refused.prompt_tokens, served.error) == (5, None)
    assert engine.batches == [["short"]]


def test_what_a_broken_batch_held_is_still_unfinished_and_an_abort_drops_it(engine):
    submit(engine, "poison", "b", "c")
    submit(engine, "long", prompt="a b c d e")
    with pytest.raises(RuntimeError, match="broken"):
        engine.step()
    assert engine.unfinished == 4
    engine.abort()
    assert engine.unfinished == 0
    submit(engine, "d")
    assert [outcome.key for outcome in engine.step()] == ["d"]
