"""deterministic: true — a row's text depends on what it asks, not on partitions, order, company or retry."""

import json
import subprocess
import sys
from dataclasses import replace

import pytest

from tests.engine.asking import body, texts, write
from tests.engine.partitions import HISTORIES, SAMPLINGS
from trackrec.engines.build import build_engine

pytestmark = pytest.mark.engine

GENRES = (
    "Action", "Adventure", "Animation", "Comedy", "Crime", "Documentary", "Drama", "Fantasy", "Film-Noir", "Horror",
    "Musical", "Mystery", "Romance", "Thriller", "War", "Western",
)  # fmt: skip


@pytest.fixture(scope="module")
def found(smollm2, tmp_path_factory):
    result = tmp_path_factory.mktemp("determinism") / "result.json"
    command = [sys.executable, "-m", "tests.engine.partitions", str(result)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stderr
    return json.loads(result.read_text())


@pytest.fixture(params=SAMPLINGS)
def ways(found, request):
    """Of one sampling: way -> row_key -> (text, engine)."""
    return found[request.param], SAMPLINGS[request.param].n


def test_every_row_key_has_one_text_and_texts_differ(ways):
    written, n = ways
    one = written["1 partition"]
    assert len(one) == HISTORIES * n
    assert len({text for text, _ in one.values()}) > HISTORIES * n // 2


@pytest.mark.parametrize("way", ["4 partitions, shuffled", "retried"])
def test_texts_are_equal_by_row_key_however_the_requests_are_cut(ways, way):
    written, _ = ways
    one, other = ({key: text for key, (text, _) in written[w].items()} for w in ("1 partition", way))
    assert other == one


def test_tasks_one_after_the_other_share_one_engine_and_a_killed_worker_starts_another(ways):
    written, _ = ways
    engines = {way: {engine for _, engine in rows.values()} for way, rows in written.items()}
    assert engines["1 partition"] == engines["4 partitions, shuffled"]
    assert len(engines["1 partition"]) == 1
    assert engines["retried"].isdisjoint(engines["1 partition"])
    assert len(engines["retried"]) == 1


@pytest.mark.parametrize("sampling", SAMPLINGS)
def test_the_size_of_the_caches_blocks_changes_no_text(spec, sampling):
    """The prompts begin alike: a block of 32 shares what one of 128 reads again. So kv_block is in no key."""
    prompts = [body(n).replace("Action", genre).replace("Waterworld", genre) for n, genre in enumerate(GENRES)]
    written = []
    for block in (32, 128):
        engine = build_engine(replace(spec, sampling=SAMPLINGS[sampling], kv_block=block))
        written.append([texts(write(engine, prompts)) for _ in range(2)])  # the second time from the cache
        engine.close()
    assert written[0] == written[1]
    assert len(set(written[0][0])) > len(prompts) // 2
