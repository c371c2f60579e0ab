"""What every training over groups keeps: the same bits again, and torch's settings as they were."""

import pytest
import torch

from tests.unit.test_tuning import SETTINGS, silent, weights
from trackrec.training.answer_objective import Asked, tune
from trackrec.training.prefix import Group


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
    crowd = [Asked("r", Group((1, 2, 3), tuple((4 + i % 50, 5, 6 + i % 7) for i in range(64))))]
    once = SETTINGS.model_copy(update={"epochs": 2})
    found = []
    for run in range(4):
        model = wide_llama()
        tune(model, crowd, once, tmp_path / str(run), silent)
        found.append(weights(model))
    assert all(torch.equal(found[0], other) for other in found[1:])


def test_torchs_own_setting_is_as_it_was_before(tmp_path):
    tune(wide_llama(), [Asked("r", Group((1, 2), ((3,),)))], SETTINGS, tmp_path, silent)
    assert not torch.are_deterministic_algorithms_enabled()
    assert torch.utils.deterministic.fill_uninitialized_memory
