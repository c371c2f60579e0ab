"""A tree of prompts in one forward pass against each prompt alone, on a small Llama with random weights."""

import pytest
import torch

from tests.unit.test_prefix import llama
from trackrec.engines.prefix_tree import prefix_tree
from trackrec.models import shared_attention
from trackrec.models.shared_attention import enable

HEAD = (5, 6, 7, 8)
PROMPTS = [(*HEAD, *reccot, *item) for reccot in [(11, 12, 13), (14, 15)] for item in [(21,), (22, 23, 24), (25, 26)]]
FORESTS = {
    "three levels": PROMPTS,
    "no common beginning": [(1, 2, 3), (4, 5), (6, 7, 8, 9, 10)],
    "one inside another": [HEAD, (*HEAD, 11), (*HEAD, 11, 12, 13), HEAD],
    "one alone": [HEAD],
}


def alone(model, prompt):
    model.set_attn_implementation("eager")
    hidden = model.model(torch.tensor([prompt])).last_hidden_state[0, -1]
    assert enable(model)
    return hidden


@pytest.mark.parametrize("by_products", [False, True])
@pytest.mark.parametrize("name", FORESTS)
@pytest.mark.parametrize("least_shared", [1, 3, 100])
@torch.no_grad()
def test_the_last_hidden_state_of_each_prompt_is_its_own(monkeypatch, name, least_shared, by_products):
    monkeypatch.setattr(shared_attention, "_bfloat16_products", lambda: by_products)
    model, prompts = llama(), FORESTS[name]
    tree = prefix_tree(prompts, least_shared)
    hidden = model.model(
        input_ids=torch.tensor([tree.tokens]), position_ids=torch.tensor([tree.positions]), use_cache=False,
        families=tree.families,
    ).last_hidden_state[0, list(tree.ends)]  # fmt: skip
    expected = torch.stack([alone(model, prompt) for prompt in prompts])
    torch.testing.assert_close(hidden, expected, rtol=1e-5, atol=1e-5)


def test_the_attention_of_fast_trainings_is_torchs_own_for_rows_that_are_padded_on_the_right(monkeypatch):
    """Outside a family: what one sequence an answer is read by."""
    torch.manual_seed(0)
    parts = [torch.randn(2, heads, 7, 16, requires_grad=True) for heads in (6, 3, 3)]
    found = []
    for by_products in (False, True):
        monkeypatch.setattr(shared_attention, "_bfloat16_products", lambda fast=by_products: fast)
        out, _ = shared_attention.attention(None, *parts)
        found.append((out, *torch.autograd.grad(out.pow(2).sum(), parts)))
    torch.testing.assert_close(found[1], found[0], rtol=1e-4, atol=1e-5)
