"""Fine-tuning on the real base: no token cut, no row lost, loss on the answer alone."""

from dataclasses import replace

import pytest
import torch

from trackrec.models.lora import trainable
from trackrec.models.resolve import resolve_model
from trackrec.runtime.errors import BadInputError
from trackrec.runtime.events import Stage
from trackrec.runtime.settings import DistillSettings, LoraSettings
from trackrec.training.sft import Example, fine_tune

pytestmark = pytest.mark.engine

EXAMPLES = [
    Example(tuple(range(1000, 1000 + length)), (28, 400 + i, 2)) for i, length in enumerate((5, 9, 1030, 7))
]  # of very unlike lengths
SETTINGS = DistillSettings(batch_size=2, epochs=1, learning_rate=1e-3, lora=LoraSettings(rank=4))


SILENT = Stage("test")


# Answers of unlike lengths: the mean over tokens is not that of the examples' means. Seven are two passes of one step.
SEVERAL = [Example(tuple(range(1000, 1006 + 3 * i)), (*range(400, 400 + 2 * i + 1), 2)) for i in range(7)]


@pytest.mark.parametrize("examples", [EXAMPLES[2:3], EXAMPLES[:2], SEVERAL], ids=["long", "two", "several"])
def test_the_loss_is_the_mean_over_answer_tokens_of_untouched_examples(smollm2, tmp_path, examples):
    settings = SETTINGS.model_copy(update={"batch_size": 8})
    found = fine_tune(smollm2, examples, settings, tmp_path / "adapter", dtype="float32", stage=SILENT)
    assert found["steps"] == 1
    model = trainable(smollm2, "float32", SETTINGS.lora, 1)
    nats = []
    with torch.no_grad():
        for example in examples:
            ids = torch.tensor([[*example.prompt, *example.answer]])
            logps = model(ids).logits[0].log_softmax(-1)
            nats += [-logps[len(example.prompt) - 1 + i, token].item() for i, token in enumerate(example.answer)]
    assert found["first_loss"] == pytest.approx(sum(nats) / len(nats), rel=1e-3)


def test_it_learns_writes_an_adapter_once_and_the_same_seed_gives_the_same_bytes(smollm2, settings, tmp_path):
    longer = SETTINGS.model_copy(update={"epochs": 5})
    steps, short = [], [e for e in EXAMPLES if len(e.prompt) < 100]
    found = fine_tune(smollm2, short, longer, tmp_path / "one", dtype="float32", stage=Stage("test", [steps.append]))
    assert found["last_loss"] < 0.5 * found["first_loss"]
    assert (steps[0].step, steps[0].steps, steps[0].figures["loss"]) == (1, 10, found["first_loss"])
    again = fine_tune(smollm2, short, longer, tmp_path / "one", dtype="float32", stage=Stage("test", [pytest.fail]))
    assert again == found
    fine_tune(smollm2, short, longer, tmp_path / "two", dtype="float32", stage=SILENT)
    one, two = (resolve_model(f"adapter:{tmp_path / name}", settings.cache_dir()) for name in ("one", "two"))
    assert one.version == two.version != smollm2.version
    assert not list(tmp_path.glob("*scratch*"))


def test_by_length_a_step_takes_examples_of_one_length(smollm2, tmp_path):
    """The trainer sorts within parts of 8 examples here: in each of the 4 at most one step has both lengths."""
    of_length = {n: Example(tuple(range(1000, 1000 + n)), (28, 400 + n, 2)) for n in (5, 60)}
    still = SETTINGS.model_copy(update={"learning_rate": 1e-12, "by_length": True})
    losses = {}
    for name, lengths in {"5": [5, 5], "60": [60, 60], "all": [5, 60] * 16}.items():
        steps = []
        stage, rows = Stage("test", [steps.append]), [of_length[n] for n in lengths]
        fine_tune(smollm2, rows, still, tmp_path / name, dtype="float32", stage=stage)
        losses[name] = [step.figures["loss"] for step in steps]
    of_one = [*set(losses["5"]), *set(losses["60"])]
    assert max(of_one) - min(of_one) > 1, "lengths that a step's loss tells apart"
    mixed = [loss for loss in losses["all"] if all(loss != pytest.approx(one, abs=0.05) for one in of_one)]
    assert len(losses["all"]) == 16
    assert len(mixed) <= 4


def test_products_in_bfloat16_learn_the_same_and_leave_the_precision_of_others_as_it_was(smollm2, tmp_path):
    found, seen = {}, {False: set(), True: set()}
    for fast in (False, True):
        way = SETTINGS.model_copy(update={"bfloat16_products": fast})
        stage = Stage("distill", (lambda _, fast=fast: seen[fast].add(torch.get_float32_matmul_precision()),))
        found[fast] = fine_tune(smollm2, EXAMPLES[:2], way, tmp_path / str(fast), dtype="float32", stage=stage)
        assert torch.get_float32_matmul_precision() == "highest"
    assert seen == {False: {"highest"}, True: {"medium"}}
    assert found[True]["first_loss"] == pytest.approx(found[False]["first_loss"], rel=0.02)


def test_no_examples_are_bad_input(smollm2, tmp_path):
    with pytest.raises(BadInputError, match="no examples to tune on"):
        fine_tune(smollm2, [], SETTINGS, tmp_path / "adapter", dtype="float32", stage=SILENT)


def test_the_prompt_carries_no_label():
    row = replace(EXAMPLES[0], answer=(7, 8)).row
    assert row["input_ids"] == [1000, 1001, 1002, 1003, 1004, 7, 8]
    assert row["labels"] == [-100] * 5 + [7, 8]
