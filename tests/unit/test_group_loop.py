"""What every training over groups keeps: the same bits again, and torch's settings as they were."""

import pytest
import torch

from tests.unit.test_answer_objective import SETTINGS, SILENT, weights
from trackrec.runtime.events import Stage
from trackrec.runtime.settings import AlignmentSettings
from trackrec.training.answer_objective import AnswerGroup, train_answers
from trackrec.training.group_loop import first_and_last, linear_schedule
from trackrec.training.prefix import Group
from trackrec.training.sdpo_objective import Preference, train_sdpo


@pytest.fixture
def two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def wide_llama():
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=64, hidden_size=512, intermediate_size=256, num_hidden_layers=1, num_attention_heads=8,
        num_key_value_heads=8, initializer_range=0.3,
    )  # fmt: skip
    return LlamaForCausalLM(config)


@pytest.mark.usefixtures("two_threads")
def test_the_same_training_has_the_same_bits_however_threads_come(tmp_path):
    # All first tokens are predicted at the prompt's last position: 64 gradients are added there.
    crowd = [AnswerGroup("r", Group((1, 2, 3), tuple((4 + i % 50, 5, 6 + i % 7) for i in range(64))))]
    once = SETTINGS.model_copy(update={"epochs": 2})
    found = []
    for run in range(4):
        model = wide_llama()
        train_answers(model, crowd, once, tmp_path / str(run), SILENT)
        found.append(weights(model))
    assert all(torch.equal(found[0], other) for other in found[1:])


@pytest.mark.parametrize(("fast", "precision"), [(False, "highest"), (True, "medium")])
def test_products_are_as_the_settings_say_in_training_and_as_they_were_after_it(tmp_path, fast, precision):
    groups = [AnswerGroup("r", Group((1, 2, 3), tuple((4 + i, 5) for i in range(8))))]
    seen = []
    stage = Stage("tune", (lambda _: seen.append(torch.get_float32_matmul_precision()),))
    train_answers(wide_llama(), groups, SETTINGS.model_copy(update={"bfloat16_products": fast}), tmp_path, stage)
    assert set(seen) == {precision}
    assert torch.get_float32_matmul_precision() == "highest"


def test_the_reference_of_an_alignment_is_computed_as_its_steps_are(tmp_path):
    preferences = [Preference("p", Group((1, 2, 3), ((4, 5, 6), (7, 8, 9))))]
    fast = AlignmentSettings(bfloat16_products=True, batch_size=1)
    (step,) = train_sdpo(wide_llama(), preferences, fast, tmp_path, SILENT)
    assert step["margin"] == 0


def test_torchs_own_setting_is_as_it_was_before(tmp_path):
    train_answers(wide_llama(), [AnswerGroup("r", Group((1, 2), ((3,),)))], SETTINGS, tmp_path, SILENT)
    assert not torch.are_deterministic_algorithms_enabled()
    assert torch.utils.deterministic.fill_uninitialized_memory


def rates(steps, warmup, finished=0):
    """The learning rate of each step from step ``finished`` + 1 on, of a training at 1.0."""
    weight = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.AdamW([{"params": [weight], "initial_lr": 1.0}], lr=1.0)
    schedule = linear_schedule(optimizer, steps, warmup, finished)
    found = []
    for _ in range(finished, steps):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    return found


def test_the_learning_rate_rises_over_the_warm_up_and_falls_after_it():
    assert rates(8, warmup=0.25) == pytest.approx([1 / 2, 1, 6 / 7, 5 / 7, 4 / 7, 3 / 7, 2 / 7, 1 / 7])


@pytest.mark.parametrize("steps", [1, 2, 3, 10])
@pytest.mark.parametrize("warmup", [0.0, 0.1, 0.9])
def test_no_step_is_wasted_at_a_learning_rate_of_0_and_one_has_it_in_full(steps, warmup):
    assert min(rates(steps, warmup)) > 0
    assert max(rates(steps, warmup)) == 1


def test_a_resumed_schedule_has_the_rates_of_one_that_was_not_interrupted():
    for finished in range(10):
        assert rates(10, 0.3, finished) == rates(10, 0.3)[finished:]


def test_the_last_figures_are_means_over_the_last_quarter_of_the_steps():
    steps = [{"loss": float(loss), "groups": groups} for loss, groups in zip(range(8), [1] * 7 + [3], strict=True)]
    assert first_and_last(steps, ("loss",)) == {"first_loss": 0.0, "last_loss": 6.5}
    assert first_and_last(steps, ("loss",), weight="groups") == {"first_loss": 0.0, "last_loss": (6 + 3 * 7) / 4}
    assert first_and_last(steps[:1], ("loss",)) == {"first_loss": 0.0, "last_loss": 0.0}
