"""The model teacher with real weights in a real engine, in the process that trains afterwards."""

import os
from pathlib import Path

import pytest
import torch

from tests.engine.asking import OPENING, body
from trackrec.histories.templates import Template
from trackrec.runtime.settings import TeacherModelSettings
from trackrec.training.teachers.model import ModelTeacher

pytestmark = pytest.mark.engine

TEMPLATE = Template("t", "", "films", "genres", opening=OPENING)
ROWS = [{"user_id": f"u{i}", "prompt_key": f"k{i}", "prompt_body": body(20 + 10 * i)} for i in range(3)]


@pytest.fixture(scope="module")
def teacher(smollm2):
    model = TeacherModelSettings(
        source=smollm2.source, engine="vllm", deterministic=True, max_tokens=48, max_model_len=512, kv_cache_gb=1
    )
    return ModelTeacher(model, TEMPLATE, Path(smollm2.cache))


@pytest.fixture(scope="module")
def written(teacher):
    """What it wrote about the rows, twice, each time by an engine of its own; and what it left of the process."""
    before = os.sched_getaffinity(0), torch.get_num_threads()
    first = list(teacher.write(ROWS))
    after = os.sched_getaffinity(0), torch.get_num_threads()
    return first, list(teacher.write([*ROWS[:1], ROWS[1] | {"prompt_body": "Heat " * 900}])), before, after


def test_it_writes_about_every_history_behind_the_opening_greedily(written):
    first, second, *_ = written
    texts = {one.history["user_id"]: one.text for one in first if one.fault is None}
    assert len(texts) == 3
    assert all(text.startswith(f"{OPENING} ") and len(text) > 40 and text[-1] in ".!?" for text in texts.values())
    assert {one.history["user_id"]: one.text for one in second}["u0"] == texts["u0"]


def test_a_prompt_beyond_its_context_is_a_fault_of_its_history_alone(written):
    faults = {one.history["user_id"]: one.fault for one in written[1]}
    assert faults["u1"].startswith("prompt_too_long: ")
    assert faults["u0"] is None


def test_the_training_behind_it_has_all_cores_again(written):
    *_, before, after = written
    assert after[0] == before[0]
