"""Seeded sampling at temperature 1: what a row asks for decides its text."""

from dataclasses import replace

import pytest

from tests.engine.asking import body, texts, write
from trackrec.engines.build import build_engine
from trackrec.runtime.settings import SamplingSettings

pytestmark = pytest.mark.engine


@pytest.fixture(scope="module", params=["vllm", "transformers"])
def engine(request, spec):
    sampling = SamplingSettings(temperature=1.0, top_p=0.95, n=3, max_tokens=16)
    engine = build_engine(replace(spec, engine=request.param, sampling=sampling))
    yield engine
    engine.close()


def test_samples_differ_and_the_same_seeds_give_them_again_whatever_runs_beside(engine):
    first = texts(write(engine, [body(31)]))
    assert len(set(first)) == 3
    assert texts(write(engine, [body(31), *[body(i) for i in range(5)]]))[:3] == first


def test_another_seed_gives_other_samples(engine):
    assert set(texts(write(engine, [body(31)], seed=1))).isdisjoint(texts(write(engine, [body(31)], seed=99)))


def test_sample_i_is_drawn_with_seed_plus_i(engine):
    assert texts(write(engine, [body(31)], seed=7))[1:] == texts(write(engine, [body(31)], seed=8))[:2]
