"""Two real processes over gloo, started by TorchDistributor, on a small Llama with random weights."""

import os
import signal
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from tests.unit.test_prefix import llama
from trackrec.models.resolve import Model
from trackrec.runtime.errors import TrackrecError
from trackrec.runtime.events import Notice, Stage, Step
from trackrec.runtime.failure import LOG_VARIABLE
from trackrec.runtime.settings import AlignmentSettings, LoraSettings, RecTuningSettings
from trackrec.training.answer_objective import answer_group, train_answers
from trackrec.training.distributed import trained
from trackrec.training.group_loop import steps_of, train_adapter
from trackrec.training.prefix import Group
from trackrec.training.sdpo_objective import Preference, train_sdpo

pytestmark = pytest.mark.spark

LORA = LoraSettings(rank=4, alpha=8)
# RecCoTs with one to five events: a mean over processes would weigh them wrongly. 9 in steps of 4: the last has one.
ITEMS = [range(20, 21 + r % 5) for r in range(9)]
GROUPS = [
    answer_group(f"r{r}", [(1, 10 + r, 11, item, 5) for item in items], [(7 + item % 2,) for item in items])
    for r, items in enumerate(ITEMS)
]
PREFERENCES = [Preference(f"p{i}", Group((1, 2, 10 + i), ((20, 21 + i), (30 + i,), (12, 13, 14)))) for i in range(9)]
TUNING = RecTuningSettings(lora=LORA, batch_size=4, epochs=2, learning_rate=1e-2, checkpoint_steps=2)
ALIGNMENT = AlignmentSettings(lora=LORA, batch_size=4, epochs=2, learning_rate=1e-2, checkpoint_steps=2)


@dataclass
class Tuning:
    """A training as the stages have it; ``fault`` is raised or done in the second process at its first group."""

    model: Model
    folder: Path
    fault: str = ""

    def __call__(self, stage):
        def train_in_place(model, checkpoints):
            if self.fault and os.environ.get("RANK") == "1":
                if self.fault == "kill":
                    os.kill(os.getpid(), signal.SIGKILL)
                raise TrackrecError(self.fault, "Do otherwise.")
            train_answers(model, GROUPS, TUNING, checkpoints, stage)

        return train_adapter(self.model, "float32", TUNING, self.folder, train_in_place)


@dataclass
class Alignment:
    model: Model
    folder: Path

    def __call__(self, stage):
        def train_in_place(model, checkpoints):
            train_sdpo(model, PREFERENCES, ALIGNMENT, checkpoints, stage)

        return train_adapter(self.model, "float32", ALIGNMENT, self.folder, train_in_place)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("llama")
    network = llama()
    network.set_attn_implementation("sdpa")
    network.save_pretrained(folder, safe_serialization=True)
    return Model(str(folder), "llama", "llama@0", f"path:{folder}", str(folder))


@pytest.fixture
def two(settings, tmp_path):
    train = settings.train.model_copy(update={"processes": 2})
    return settings.model_copy(update={"train": train, "log": str(tmp_path / "log")})


def weights(adapter):
    return load_file(adapter / "adapter_model.safetensors")


@pytest.mark.parametrize("kind", [Tuning, Alignment])
def test_two_processes_train_the_weights_of_one(spark, model, settings, two, tmp_path, capsys, kind):
    events = []
    one = trained(kind(model, tmp_path / "one"), tmp_path / "one", 4, 2, settings, Stage("one"))
    both = trained(kind(model, tmp_path / "two"), tmp_path / "two", 4, 2, two, Stage("two", [events.append]))
    expected, found = weights(one), weights(both)
    assert expected.keys() == found.keys()
    for name, weight in expected.items():
        torch.testing.assert_close(found[name], weight, rtol=0, atol=1e-5)
    assert max(float(weight.abs().max()) for name, weight in expected.items() if "lora_B" in name) > 1e-3
    steps = [event for event in events if isinstance(event, Step)]
    assert [(event.step, event.steps) for event in steps] == [(i, 6) for i in range(1, 7)]
    for row, other in zip(steps_of(tmp_path / "one/training"), steps_of(tmp_path / "two/training"), strict=True):
        assert other == pytest.approx(row, abs=1e-4)
    assert not (tmp_path / "two" / "processes").exists()
    assert "torch" not in capsys.readouterr().out


def test_the_error_of_a_process_is_the_callers(spark, model, two, tmp_path):
    with pytest.raises(TrackrecError, match=r"^process 2 of 2: the loss is nan\. Do otherwise\.$"):
        trained(Tuning(model, tmp_path / "a", "the loss is nan."), tmp_path / "a", 4, 2, two, Stage("tune"))
    assert not (tmp_path / "a" / "adapter").exists()


def test_a_process_that_is_killed_ends_the_training_with_a_remedy(spark, model, two, tmp_path, monkeypatch):
    monkeypatch.setenv(LOG_VARIABLE, str(tmp_path / "moved.log"))
    with pytest.raises(TrackrecError, match=r"ended from outside.*lower train\.processes; see \S+/moved\.log"):
        trained(Tuning(model, tmp_path / "a", "kill"), tmp_path / "a", 4, 2, two, Stage("tune"))


def test_a_step_of_one_group_is_trained_by_one_process_and_that_is_said(model, two, tmp_path):
    events = []
    trained(Tuning(model, tmp_path / "a"), tmp_path / "a", 1, 2, two, Stage("tune", [events.append]))
    assert [event.text for event in events if isinstance(event, Notice)] == [
        "groups a step: 1, so 1 of the 2 processes of train.processes train."
    ]


def test_a_training_that_is_finished_starts_no_process(model, two, tmp_path):
    (tmp_path / "a" / "adapter").mkdir(parents=True)
    assert trained(Tuning(model, tmp_path / "a"), tmp_path / "a", 4, 2, two, Stage("tune")) == tmp_path / "a/adapter"
