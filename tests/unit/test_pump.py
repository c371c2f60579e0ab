"""The pump keeps an engine fed and finds the request that breaks it."""

import pytest

from trackrec.engines.interface import EngineSpec, Request
from trackrec.engines.pump import pump
from trackrec.engines.scripted import ScriptedEngine
from trackrec.models.resolve import Model
from trackrec.runtime.settings import SamplingSettings

SPEC = EngineSpec(Model("", "m", "m@0", "path:m", ""), "scripted", SamplingSettings(), max_num_seqs=8)


class Watched(ScriptedEngine):
    """Remembers how many requests were unfinished at each step."""

    def __init__(self) -> None:
        super().__init__(SPEC)
        self.loads: list[int] = []

    def step(self):
        self.loads.append(self.unfinished)
        return super().step()


def run(prompts: list[str], engine, high_water: int = 16, batch: int = 4):
    requests = [Request(str(i), prompt, "", i) for i, prompt in enumerate(prompts)]
    batches = (requests[i : i + batch] for i in range(0, len(requests), batch))
    return list(pump(batches, engine, lambda batch: batch, high_water))


def test_every_request_finishes_exactly_once():
    done = run([f"prompt {i}" for i in range(101)], ScriptedEngine(SPEC))
    assert sorted(int(f.key) for f in done) == list(range(101))
    assert all(f.completions for f in done)


def test_the_engine_is_full_until_the_input_ends():
    engine = Watched()
    run([f"prompt {i}" for i in range(200)], engine, high_water=16, batch=4)
    draining = next(i for i, load in enumerate(engine.loads) if load < 16)
    assert engine.loads[:draining] == [16] * draining
    assert draining > len(engine.loads) / 2
    assert engine.loads[draining:] == sorted(engine.loads[draining:], reverse=True)


def test_no_more_is_pulled_than_the_high_water_mark_asks_for():
    pulled = []

    def batches():
        for i in range(100):
            pulled.append(i)
            yield [Request(str(i), f"prompt {i}", "", 0)]

    running = pump(batches(), ScriptedEngine(SPEC), lambda batch: batch, high_water=5)
    next(running)
    assert len(pulled) <= 6


def test_empty_batches_and_no_batches_end_at_once():
    engine = ScriptedEngine(SPEC)
    assert list(pump(iter([[], []]), engine, lambda batch: batch, 4)) == []
    assert list(pump(iter([]), engine, lambda batch: batch, 4)) == []


@pytest.mark.parametrize("culprits", [{0}, {37}, {99}, {3, 4, 60}])
def test_the_request_that_breaks_the_engine_is_found_and_all_others_finish(culprits):
    prompts = [f"prompt {i} {'SCRIPT:crash' if i in culprits else ''}" for i in range(100)]
    done = {int(f.key): f for f in run(prompts, ScriptedEngine(SPEC))}
    assert {key for key, f in done.items() if f.error} == culprits
    assert len(done) == 100
    assert all(done[i].error == "engine_fault: RuntimeError: the script says crash" for i in culprits)
    assert all(done[i].error_kind == "permanent" for i in culprits)


def test_an_engine_that_fails_for_everyone_is_an_error_and_blames_no_row():
    with pytest.raises(RuntimeError, match="the script says crash"):
        run(["SCRIPT:crash"] * 6, ScriptedEngine(SPEC))


def test_a_request_that_cannot_be_submitted_is_a_permanent_fault():
    class Picky(ScriptedEngine):
        def submit(self, request):
            if request.key == "1":
                raise ValueError("no such prompt")
            super().submit(request)

    done = {f.key: f for f in run(["a", "b", "c"], Picky(SPEC))}
    assert done["1"].error == "engine_fault: ValueError: no such prompt"
    assert done["0"].completions
    assert done["2"].completions


def test_two_requests_of_one_key_in_flight_are_refused():
    with pytest.raises(ValueError, match="in flight already"):
        list(pump(iter([[Request("a", "x", "", 0)] * 2]), ScriptedEngine(SPEC), lambda batch: batch, 4))
