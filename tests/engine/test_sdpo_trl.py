"""S-DPO with one rejected RecCoT against TRL's DPO trainer: its batch, its loss, two small models, a real tokenizer."""

import pytest
import torch

from trackrec.models.shared_attention import enable
from trackrec.training.prefix import Group, shared_logps
from trackrec.training.sdpo_loss import sdpo_losses

pytestmark = pytest.mark.engine

BETA = 0.3
PAIRS = [
    ("The user liked Heat and Ronin.", " They like heists.", " They like musicals and long walks."),
    ("The user liked Alien.", " Space, and what waits in it.", " Comedies."),
    ("The user disliked Babe, Speed and Twister.", " Nothing fast.", " They avoid pigs, buses and storms alike."),
]


def llama(seed, vocabulary):
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=vocabulary, hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4,
        initializer_range=0.3,
    )  # fmt: skip
    return LlamaForCausalLM(config)


def test_with_one_rejected_the_loss_is_the_sigmoid_loss_of_trls_dpo_trainer(smollm2, tmp_path):
    from datasets import Dataset
    from transformers import AutoTokenizer
    from trl import DPOConfig, DPOTrainer

    tokenizer = AutoTokenizer.from_pretrained(smollm2.path)
    policy, reference = llama(0, len(tokenizer)), llama(1, len(tokenizer))
    pairs = Dataset.from_list([dict(zip(("prompt", "chosen", "rejected"), pair, strict=True)) for pair in PAIRS])
    settings = DPOConfig(
        str(tmp_path), beta=BETA, per_device_train_batch_size=len(PAIRS), max_length=None, use_cpu=True, bf16=False,
        report_to=[], gradient_checkpointing=False,
    )  # fmt: skip
    trainer = DPOTrainer(policy, reference, settings, train_dataset=pairs, processing_class=tokenizer)
    batch = next(iter(trainer.get_train_dataloader()))
    trl_loss = trainer.compute_loss(trainer.model, batch)

    assert enable(policy)
    assert enable(reference)
    groups = [_group(batch, i) for i in range(len(PAIRS))]
    policy_logps, reference_logps = (
        torch.stack([shared_logps(model, g) for g in groups]) for model in (policy, reference)
    )
    loss = sdpo_losses(
        policy_logps, reference_logps.detach(), torch.ones_like(policy_logps, dtype=torch.bool), BETA
    ).mean()
    assert loss.item() == pytest.approx(trl_loss.item(), rel=1e-5)


def _group(batch, i):
    """Pair i of TRL's batch, in which the chosen ones come first and the rejected ones after them."""
    half = len(batch["input_ids"]) // 2
    parts = []
    for row in (i, i + half):
        real = batch["attention_mask"][row].bool()
        ids, answer = batch["input_ids"][row][real], batch["completion_mask"][row][real].bool()
        parts.append((tuple(ids[~answer].tolist()), tuple(ids[answer].tolist())))
    assert parts[0][0] == parts[1][0]
    return Group(parts[0][0], (parts[0][1], parts[1][1]))
