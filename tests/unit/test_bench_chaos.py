"""What the chaos bench counts: each fault that it looks for is found where it is."""

import json
from datetime import UTC, datetime

import pyarrow as pa
import pytest
from deltalake import write_deltalake
from filelock import FileLock

from bench.chaos import summary
from bench.killer import Figures
from bench.tally import CallTally, Difference, difference, leftovers

NIGHT = datetime(2024, 1, 10, tzinfo=UTC)


def write(folder, table, *rows):
    write_deltalake(str(folder / "warehouse" / table), pa.Table.from_pylist(list(rows)), mode="append")


def reccot(key, text="said", night=NIGHT):
    return {"row_key": key, "prompt_key": key, "text": text, "as_of": night, "output_tokens": 10}


def vector(user, night=NIGHT):
    return {"user_id": user, "feature_version": "v", "reccot": "said", "as_of": night}


@pytest.fixture
def undisturbed(tmp_path):
    """Two users' night."""
    folder = tmp_path / "undisturbed"
    write(folder, "reccots", reccot("a"), reccot("b"))
    write(folder, "reccot_vectors", vector("u1"), vector("u2"))
    return folder


@pytest.mark.parametrize(
    ("reccots", "vectors", "found"),
    [
        (["a", "b"], ["u1", "u2"], (0, 0, 0, 0)),
        (["a"], ["u1", "u2"], (1, 0, 0, 0)),
        (["a", "b"], ["u1"], (1, 0, 0, 0)),
        (["a", "b", "b"], ["u1", "u2"], (0, 1, 0, 0)),
        (["a", "b"], ["u1", "u2", "u2"], (0, 1, 0, 0)),
        (["a", "b"], ["u1", "u2", "u3"], (0, 0, 0, 1)),
    ],
)
def test_lost_doubled_and_extra_rows_of_either_table_are_found(tmp_path, undisturbed, reccots, vectors, found):
    write(tmp_path, "reccots", *map(reccot, reccots))
    write(tmp_path, "reccot_vectors", *map(vector, vectors))
    assert difference(tmp_path, undisturbed, NIGHT) == Difference(4, *found)


def test_another_text_of_a_key_is_found(tmp_path, undisturbed):
    write(tmp_path, "reccots", reccot("a"), reccot("b", "said otherwise"))
    write(tmp_path, "reccot_vectors", vector("u1"), vector("u2"))
    assert difference(tmp_path, undisturbed, NIGHT).changed == 1


def test_rows_of_another_night_do_not_count(tmp_path, undisturbed):
    later = datetime(2024, 1, 11, tzinfo=UTC)
    write(tmp_path, "reccots", reccot("a", night=later), reccot("b", night=later))
    assert difference(tmp_path, undisturbed, later) == Difference(0, 0, 0, 0, extra=2)


def call(folder, event, *keys):
    with (folder / "calls.jsonl").open("a") as file:
        file.writelines(json.dumps({"event": event, "key": key, "tokens": 10}) + "\n" for key in keys)


def test_what_was_asked_and_not_committed_at_a_kill_may_be_asked_again_and_nothing_else(tmp_path):
    calls = CallTally(tmp_path)
    call(tmp_path, "started", "a", "b", "c")
    call(tmp_path, "finished", "a", "b")
    write(tmp_path, "reccot_staging", reccot("a"))
    found = calls.killed()
    assert (set(found.keys), found.in_flight) == ({"b", "c"}, 1)
    write(tmp_path, "reccots", reccot("a"), reccot("b"), reccot("c"))
    call(tmp_path, "started", "b", "c")
    assert calls.tokens() == (20, 20)
    call(tmp_path, "started", "a")
    assert calls.tokens() == (30, 20)


def test_leftovers_are_staged_rows_without_their_text_leases_scratch_tables_and_held_locks(tmp_path):
    write(tmp_path, "reccots", reccot("a"))
    staged = [reccot(key) | {"status": status} for key, status in (("a", "ok"), ("b", "ok"), ("c", "failed"))]
    write(tmp_path, "reccot_staging", *staged)
    write(tmp_path, "leases", {"run_id": "r"})
    write(tmp_path, "_scratch_1", {"user_id": "u1"})
    (tmp_path / "tmp").mkdir()
    FileLock(tmp_path / "tmp" / "free.lock").acquire().lock.release()
    held = FileLock(tmp_path / "tmp" / "held.lock")
    with held:
        assert leftovers(tmp_path) == {"scratch tables": 1, "staged rows": 1, "leases": 1, "locks": 1}


@pytest.mark.parametrize("fault", ["lost", "doubled", "orphans", "leftovers", "changed", "extra", "respent_tokens"])
def test_every_fault_fails_the_bench(fault):
    assert summary([Figures(), Figures()])["passed"]
    assert not summary([Figures(), Figures(**{fault: 1})])["passed"]
