"""The S-DPO loss against the paper's formula written out in Python floats."""

import math

import pytest
import torch

from trackrec.training.sdpo_loss import a_token, agreement, chosen_nll, sdpo_losses

BETA = 0.3


def by_hand(policy, reference, beta=BETA):
    """−log σ(−log Σ_l exp(β(Δ_l − Δ_w))), as the paper has it; the first candidate is the chosen one."""
    chosen, *rejected = [p - r for p, r in zip(policy.tolist(), reference.tolist(), strict=True)]
    z = math.log(sum(math.exp(beta * (delta - chosen)) for delta in rejected))
    return -math.log(1 / (1 + math.exp(z)))


def groups(seed=0, rows=5, candidates=4, scale=20.0):
    dice = torch.Generator().manual_seed(seed)
    policy, reference = (-scale * torch.rand(rows, candidates, generator=dice, dtype=torch.float64) for _ in range(2))
    return policy, reference, torch.ones(rows, candidates, dtype=torch.bool)


def test_the_loss_is_the_papers_formula_for_each_group_apart():
    policy, reference, present = groups()
    found = sdpo_losses(policy, reference, present, BETA)
    assert found.tolist() == pytest.approx([by_hand(p, r) for p, r in zip(policy, reference, strict=True)], rel=1e-12)


def test_the_mean_stands_outside_the_logarithm():
    policy, reference, present = groups()
    whole = sdpo_losses(policy, reference, present, BETA).mean()
    apart = [sdpo_losses(policy[i : i + 1], reference[i : i + 1], present[i : i + 1], BETA) for i in range(5)]
    assert whole.item() == pytest.approx(torch.cat(apart).mean().item(), rel=1e-12)


def test_with_one_rejected_it_is_the_sigmoid_loss_of_dpo():
    policy, reference, present = groups(candidates=2)
    delta = policy - reference
    expected = -torch.nn.functional.logsigmoid(BETA * (delta[:, 0] - delta[:, 1]))
    torch.testing.assert_close(sdpo_losses(policy, reference, present, BETA), expected, rtol=1e-12, atol=0)


def test_at_the_reference_the_loss_is_the_logarithm_of_the_number_of_candidates():
    policy, _, present = groups(candidates=10)
    assert sdpo_losses(policy, policy, present, BETA).tolist() == pytest.approx([math.log(10)] * 5)


def test_a_missing_candidate_counts_neither_in_the_loss_nor_in_the_gradient():
    policy, reference, present = groups()
    present[:, 3] = False
    policy[:, 3] = float("nan")
    policy.requires_grad_()
    found = sdpo_losses(policy, reference, present, BETA)
    assert found.tolist() == pytest.approx([by_hand(p[:3], r[:3]) for p, r in zip(policy, reference, strict=True)])
    found.sum().backward()
    assert policy.grad[:, 3].eq(0).all()
    assert policy.grad[:, :3].ne(0).all()


def test_the_gradient_is_the_loss_own_by_finite_differences():
    policy, reference, present = groups(rows=3)
    policy.requires_grad_()
    assert torch.autograd.gradcheck(lambda p: sdpo_losses(p, reference, present, BETA), (policy,))


def test_log_probabilities_far_apart_do_not_overflow_in_float32():
    policy, reference = torch.tensor([[-9000.0, -1.0, -2.0]]), torch.zeros(1, 3)
    found = sdpo_losses(policy, reference, torch.ones(1, 3, dtype=torch.bool), 1.0)
    assert found.tolist() == pytest.approx([9000 - 1 + math.log(1 + math.exp(-1))], rel=1e-6)


@pytest.mark.parametrize("missing", [[[False, True]], [[True, False]]])
def test_a_group_without_a_chosen_or_a_rejected_candidate_is_refused(missing):
    with pytest.raises(ValueError, match="chosen candidate in column 0 and at least one rejected"):
        sdpo_losses(torch.zeros(1, 2), torch.zeros(1, 2), torch.tensor(missing), BETA)


def test_margin_and_accuracy_compare_the_chosen_with_the_rejected_that_are_there():
    delta = torch.tensor([[3.0, 1.0, 2.0], [0.0, 1.0, 50.0], [1.0, 1.0, 0.0]])
    present = torch.tensor([[True, True, True], [True, True, False], [True, True, True]])
    found = agreement(delta, torch.zeros(3, 3), present, beta=2.0)
    assert found.margin == pytest.approx(2.0 * (1.5 - 1.0 + 0.5) / 3)
    assert found.accuracy == pytest.approx((1 + 0 + 0.5) / 3)


def test_a_token_of_a_long_reccot_counts_as_one_of_a_short_one():
    """Twice as long and a token as likely: the summed Δ is twice as large, the one a token is the same."""
    policy, reference = torch.tensor([[-20.0, -40.0]]), torch.tensor([[-30.0, -60.0]])
    tokens, present = torch.tensor([[10, 20]]), torch.ones(1, 2, dtype=torch.bool)
    summed = sdpo_losses(policy, reference, present, BETA)
    mean = sdpo_losses(a_token(policy, tokens), a_token(reference, tokens), present, BETA)
    assert summed.item() == pytest.approx(by_hand(policy[0], reference[0]), rel=1e-6)
    assert summed.item() > mean.item() == pytest.approx(math.log(2))


def test_of_the_chosen_one_alone_the_negative_log_likelihood_is_taken_a_token():
    policy, tokens = torch.tensor([[-20.0, -7.0], [-3.0, -90.0]], requires_grad=True), torch.tensor([[10, 7], [2, 9]])
    found = chosen_nll(policy, tokens)
    assert found.tolist() == [2.0, 1.5]
    found.sum().backward()
    assert policy.grad.tolist() == [[pytest.approx(-0.1), 0.0], [-0.5, 0.0]]
