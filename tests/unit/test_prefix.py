"""One forward pass over prompt and answers against one sequence an answer, on a small Llama with random weights."""

import pytest
import torch

from trackrec.models.shared_attention import enable
from trackrec.training.prefix import Group, separate_logps, shared_logps

GROUP = Group((5, 6, 7, 8, 9), ((11, 12, 13), (21,), (11, 12, 31, 32, 33, 2)))


@pytest.fixture
def model():
    return llama()


def llama():
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=48, hidden_size=32, intermediate_size=64, num_hidden_layers=3, num_attention_heads=4,
        num_key_value_heads=2, attn_implementation="eager", initializer_range=0.3,
    )  # fmt: skip
    model = LlamaForCausalLM(config)
    assert enable(model)
    return model


def by_hand(model, prompt, answer):
    """Sum over the answer of log softmax at the position before each token, by transformers' own attention."""
    model.set_attn_implementation("eager")
    logits = model(torch.tensor([[*prompt, *answer]])).logits[0].log_softmax(-1)
    assert enable(model)
    return sum(logits[len(prompt) - 1 + i, token] for i, token in enumerate(answer))


def gradients(model, logps):
    model.zero_grad()
    (torch.arange(1, len(logps) + 1) * logps).sum().backward()
    return torch.cat([p.grad.flatten() for p in model.parameters()])


@pytest.mark.parametrize("form", [shared_logps, separate_logps])
def test_only_the_counted_tokens_at_an_answers_end_are_summed(model, form):
    group = Group(GROUP.prompt, GROUP.answers, counted=(1, 1, 4))
    heads = [answer[: len(answer) - count] for answer, count in zip(group.answers, group.counted, strict=True)]
    expected = torch.stack(
        [
            by_hand(model, (*group.prompt, *head), answer[len(head) :])
            for head, answer in zip(heads, group.answers, strict=True)
        ]
    )
    torch.testing.assert_close(form(model, group), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("counted", [(1, 1), (0, 1, 1), (4, 1, 1)])
def test_counting_no_token_or_more_than_there_are_is_refused(counted):
    with pytest.raises(ValueError, match=r"counted|argument"):
        Group(GROUP.prompt, GROUP.answers, counted=counted)


@pytest.mark.parametrize("form", [shared_logps, separate_logps])
def test_log_probabilities_are_those_of_each_answer_alone_behind_the_prompt(model, form):
    expected = torch.stack([by_hand(model, GROUP.prompt, answer) for answer in GROUP.answers])
    torch.testing.assert_close(form(model, GROUP), expected, rtol=1e-5, atol=1e-5)


def test_gradients_equal_those_of_one_sequence_an_answer(model):
    shared = gradients(model, shared_logps(model, GROUP))
    separate = gradients(model, separate_logps(model, GROUP))
    assert float((shared - separate).norm() / separate.norm()) < 1e-5


def test_an_answer_does_not_see_the_others(model):
    alone = shared_logps(model, Group(GROUP.prompt, GROUP.answers[2:]))
    torch.testing.assert_close(shared_logps(model, GROUP)[2:], alone, rtol=1e-5, atol=1e-5)


def test_checkpointed_gradients_are_the_same(model):
    plain = gradients(model, shared_logps(model, GROUP))
    model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    model.train()
    checkpointed = gradients(model, shared_logps(model, GROUP))
    assert float((checkpointed - plain).norm() / plain.norm()) < 1e-5


def test_a_model_that_was_not_told_to_share_is_refused(model):
    model.set_attn_implementation("sdpa")
    with pytest.raises(ValueError, match="attention 'sdpa' is not shared"):
        shared_logps(model, GROUP)


@pytest.mark.parametrize("name", ["sliding_window", "attn_logit_softcapping"])
def test_attention_that_is_not_plain_is_not_replaced(model, name):
    model.set_attn_implementation("sdpa")
    setattr(model.config, name, 4)
    assert not enable(model)
    assert model.config._attn_implementation == "sdpa"


def test_half_precision_stays_near(model):
    exact = shared_logps(model, GROUP)
    assert shared_logps(model.bfloat16(), GROUP).tolist() == pytest.approx(exact.tolist(), rel=0.05)


@pytest.mark.parametrize("parts", [((), ((1,),)), ((1,), ()), ((1,), ((1,), ()))])
def test_an_empty_prompt_or_answer_is_refused(parts):
    with pytest.raises(ValueError, match="at least one token"):
        Group(*parts)
