"""The pump keeps an engine fed and finds the request that breaks it."""

import weakref
from collections.abc import Callable

import pytest

from trackrec.engines.interface import Request
from trackrec.engines.pump import pump
from trackrec.engines.scripted import ScriptedEngine
from trackrec.engines.spec import EngineSpec
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


def asked_a_row(every: int, rows: int = 400) -> float:
    """Requests submitted, canaries too, for each of ``rows`` of which one in ``every`` makes the engine fail."""
    engine = Counting()
    done = run([f"prompt {i} {'SCRIPT:crash' if i % every == 0 else ''}" for i in range(rows)], engine, high_water=64)
    assert sum(f.error is not None for f in done) == rows // every
    return engine.submitted / rows


class Counting(ScriptedEngine):
    """Counts what is submitted."""

    def __init__(self) -> None:
        super().__init__(SPEC)
        self.submitted = 0

    def submit(self, request):
        self.submitted += 1
        super().submit(request)


@pytest.mark.parametrize("every", [5, 50])
def test_less_than_two_requests_are_asked_a_row_where_one_in_five_or_fifty_breaks_the_engine(every):
    assert 1 < asked_a_row(every) < 2


class Raising(ScriptedEngine):
    """Its steps raise ``error`` while ``fails(requests in flight)`` holds."""

    def __init__(self, error: Exception, fails: Callable[[list[Request]], bool]) -> None:
        super().__init__(SPEC)
        self.error, self.fails = error, fails
        self.requests: list[Request] = []

    def submit(self, request):
        super().submit(request)
        self.requests.append(request)

    def abort(self):
        super().abort()
        self.requests.clear()

    def step(self):
        if self.fails(self.requests):
            raise self.error
        finished = super().step()
        keys = {outcome.key for outcome in finished}
        self.requests = [request for request in self.requests if request.key not in keys]
        return finished


@pytest.mark.parametrize("requests", [1, 6])
def test_an_engine_that_fails_for_every_request_is_an_error_and_blames_no_row(requests):
    with pytest.raises(RuntimeError, match="device lost"):
        run([f"prompt {i}" for i in range(requests)], Raising(RuntimeError("device lost"), lambda _: True))


def test_the_first_error_of_a_dead_engine_is_raised_also_where_it_cannot_be_emptied():
    class Dead(Raising):
        def abort(self):
            raise RuntimeError("cannot abort")

    with pytest.raises(RuntimeError, match="device lost"):
        run(["a"], Dead(RuntimeError("device lost"), lambda _: True))


def test_an_engine_that_a_row_breaks_for_good_is_an_error_and_blames_no_row():
    lethal = []

    def fails(requests: list[Request]) -> bool:
        if len(lethal) < 2:  # the engine survives this row among others, and dies of it alone
            lethal.extend(request for request in requests if request.key == "2")
        return len(lethal) == 2 or any(request.key == "2" for request in requests)

    with pytest.raises(RuntimeError, match="device lost"):
        run([f"prompt {i}" for i in range(6)], Raising(RuntimeError("device lost"), fails))


@pytest.mark.parametrize("prompts", [["SCRIPT:crash"], ["SCRIPT:crash"] * 2])
def test_rows_that_break_a_healthy_engine_are_permanent_faults_though_no_other_row_is_there(prompts):
    done = run(prompts, ScriptedEngine(SPEC))
    assert [f.error_kind for f in done] == ["permanent"] * len(prompts)
    assert {f.error for f in done} == {"engine_fault: RuntimeError: the script says crash"}


class OutOfMemoryError(RuntimeError):
    """Named as torch's, which this file does without."""


OUT_OF_MEMORY = [
    MemoryError(),
    OutOfMemoryError("Tried to allocate 2.00 GiB"),
    RuntimeError("CUDA error: out of memory"),
    RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes."),
]


@pytest.mark.parametrize("error", OUT_OF_MEMORY, ids=lambda error: type(error).__name__)
def test_requests_that_fit_into_memory_only_in_smaller_groups_all_finish(error):
    done = run([f"prompt {i}" for i in range(12)], Raising(error, lambda requests: len(requests) > 3))
    assert sorted(int(f.key) for f in done) == list(range(12))
    assert all(f.completions for f in done)


@pytest.mark.parametrize("error", OUT_OF_MEMORY, ids=lambda error: type(error).__name__)
def test_a_request_that_does_not_fit_into_memory_alone_is_a_transient_fault(error):
    def large(requests: list[Request]) -> bool:
        return any(request.prompt == "large" for request in requests)

    done = {f.key: f for f in run(["a", "large", "b"], Raising(error, large))}
    assert done["1"].error_kind == "transient"
    assert done["1"].error.startswith("out_of_memory: ")
    assert done["0"].completions
    assert done["2"].completions


def test_after_a_request_that_does_not_fit_into_memory_as_many_run_together_as_before():
    loads = []

    def large(requests: list[Request]) -> bool:
        loads.append(len(requests))
        return any(request.prompt == "large" for request in requests)

    run(["large", *(f"prompt {i}" for i in range(400))], Raising(MemoryError(), large))
    assert max(loads[-200:]) > 12


def test_what_a_failed_step_held_is_free_before_requests_run_again():
    class Tensor:
        pass

    alive = []

    class Holding(ScriptedEngine):
        def step(self):
            if len(self._in_flight) > 2:
                tensor = Tensor()
                alive.append(weakref.ref(tensor))
                raise MemoryError
            assert alive[-1]() is None
            return super().step()

    assert len(run(["a", "b", "c", "d"], Holding(SPEC))) == 4


def test_an_error_is_described_without_control_characters():
    error = RuntimeError("title \x1b]0;owned\x07\x9b31m\x00 of\nline\ud800")
    fails = Raising(error, lambda requests: any(request.key == "0" for request in requests))
    (finished,) = run(["a"], fails)
    assert finished.error == "engine_fault: RuntimeError: title ]0;owned 31m of line"


def test_an_engine_that_accepts_nothing_is_an_error_and_blames_no_row():
    class Closed(ScriptedEngine):
        def submit(self, request):
            raise RuntimeError("engine is closed")

    with pytest.raises(RuntimeError, match="engine is closed"):
        run(["a", "b"], Closed(SPEC))


def test_an_engine_that_dies_between_submits_is_an_error_and_drains_no_input():
    class Dying(ScriptedEngine):
        def submit(self, request):
            if self.unfinished == 3:
                self.dead = True
            if getattr(self, "dead", False):
                raise RuntimeError("device lost")
            super().submit(request)

    pulled, finished = [], []

    def batches():
        for i in range(100):
            pulled.append(i)
            yield [Request(str(i), f"prompt {i}", "", i)]

    with pytest.raises(RuntimeError, match="device lost"):
        finished.extend(pump(batches(), Dying(SPEC), lambda batch: batch, high_water=16))
    assert pulled == [0, 1, 2, 3]
    assert not [outcome for outcome in finished if outcome.error]


def test_requests_in_flight_keep_their_progress_while_one_cannot_be_submitted():
    submitted = []

    class Picky(ScriptedEngine):
        def submit(self, request):
            submitted.append(request.key)
            if request.key == "1":
                raise ValueError("no such prompt")
            super().submit(request)

    run(["a", "b", "c"], Picky(SPEC))
    assert submitted.count("0") == 1


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
