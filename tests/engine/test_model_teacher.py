"""The model teacher with real weights in a real engine, in the process that trains afterwards."""

import os
from pathlib import Path

import pytest
import torch

from tests.engine.asking import OPENING, body
from trackrec.engines.chat import Chat
from trackrec.engines.spec import EngineSpec
from trackrec.histories.templates import Template
from trackrec.runtime.events import Stage
from trackrec.runtime.settings import DistillSettings, SamplingSettings, TeacherModelSettings
from trackrec.training.sft import fine_tune
from trackrec.training.teacher_tokens import teacher_examples
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
    before = os.sched_getaffinity(0), torch.get_default_dtype()
    first = list(teacher.write(ROWS))
    after = os.sched_getaffinity(0), torch.get_default_dtype()
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


def test_a_training_behind_it_has_all_cores_again_and_learns(written, smollm2, tmp_path):
    first, _, before, after = written
    assert after == before
    texts = {one.history["prompt_key"]: one.text for one in first}
    chat = Chat(EngineSpec(smollm2, "vllm", SamplingSettings(), OPENING))
    examples = teacher_examples(ROWS, texts, chat, OPENING)
    settings = DistillSettings(epochs=4, batch_size=3, learning_rate=1e-3)
    folder = tmp_path / "adapter"
    losses = fine_tune(smollm2, examples, settings, folder, dtype="float32", stage=Stage("distill"))
    assert 0 < losses["last_loss"] < losses["first_loss"] < 3
