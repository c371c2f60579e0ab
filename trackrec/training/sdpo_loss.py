"""Softmax-DPO (S-DPO, arXiv 2406.09215): the loss over one chosen and many rejected RecCoTs of one history.

With Δ(c) = log π(c|h) − log π_ref(c|h), summed over the tokens of a RecCoT, a group's loss is

    logsumexp([0, β(Δ_l − Δ_w) for each rejected l])

which is −log σ(−log Σ_l exp(β(Δ_l − Δ_w))) of the paper, written so that nothing overflows. It is taken per group: the
mean over groups stands outside the logarithm. With one rejected RecCoT it is DPO's sigmoid loss (arXiv 2305.18290).

Two ablations: Δ a token (``a_token``), in which a long RecCoT is not further from its reference than a short one; and
``chosen_nll``, −log π(c_w|h) a token, added with a small weight so that what is chosen does not become unlikely too.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


def sdpo_losses(policy: Tensor, reference: Tensor, present: Tensor, beta: float) -> Tensor:
    """The loss of each group, [groups], in the dtype of ``policy``.

    ``policy``, ``reference``: [groups, candidates] summed log-probabilities of whole RecCoTs, the chosen one in column
    0; ``present``: [groups, candidates], False where a group has fewer candidates (what stands there is not read).
    Raises ValueError where a group lacks its chosen or has no rejected candidate.
    """
    if not bool(present[:, 0].all()) or not bool(present[:, 1:].any(dim=1).all()):
        raise ValueError("every group needs its chosen candidate in column 0 and at least one rejected one")
    delta = (policy - reference).masked_fill(~present, 0.0)
    behind = beta * (delta[:, 1:] - delta[:, :1])
    behind = behind.masked_fill(~present[:, 1:], float("-inf"))
    return torch.cat([torch.zeros_like(delta[:, :1]), behind], dim=1).logsumexp(dim=1)


def a_token(logps: Tensor, tokens: Tensor) -> Tensor:
    """Mean log-probability of a RecCoT's tokens; ``logps``: summed, ``tokens``: how many; both [groups, candidates]."""
    return logps / tokens


def chosen_nll(policy: Tensor, tokens: Tensor) -> Tensor:
    """−log π of the chosen RecCoT, nats a token, [groups]; arguments as in ``a_token``, the chosen one in column 0."""
    return -a_token(policy, tokens)[:, 0]


@dataclass(frozen=True)
class Agreement:
    """How far the policy prefers what V prefers, means over groups.

    ``margin``: β(Δ_w − mean Δ_l); ``accuracy``: share of groups whose chosen RecCoT has the largest Δ, a tie counts ½.
    """

    margin: float
    accuracy: float


@torch.no_grad()
def agreement(policy: Tensor, reference: Tensor, present: Tensor, beta: float) -> Agreement:
    """Margin and accuracy of the groups; arguments as in ``sdpo_losses``."""
    delta = (policy - reference).masked_fill(~present, 0.0)
    rejected = present[:, 1:]
    mean = delta[:, 1:].sum(dim=1) / rejected.sum(dim=1)
    best = delta[:, 1:].masked_fill(~rejected, float("-inf")).amax(dim=1)
    ahead, tied = (delta[:, 0] > best).double(), (delta[:, 0] == best).double()
    margin = beta * (delta[:, 0] - mean)
    return Agreement(float(margin.double().mean()), float((ahead + tied / 2).mean()))
