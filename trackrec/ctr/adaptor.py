"""From the LLM's vectors to a few inputs of the CTR model: linear, MLP, or KAR's hybrid-expert adaptor (HEA)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

SHARED_EXPERTS, SPECIFIC_EXPERTS = 2, 5  # as in KAR (arXiv 2306.10933)
EXPERT_HIDDEN = 32


class Mixture(nn.Module):
    """HEA: every vector (prompt, liked, …) has a gate over the shared experts and its own specific ones.

    Input: one tensor (rows, size) a vector, all of one size since experts are shared; output (rows, vectors · out).
    A gate is a softmax of one linear layer over the vector itself.
    """

    def __init__(self, sizes: Sequence[int], out: int) -> None:
        super().__init__()
        size = sizes[0]
        self.shared = nn.ModuleList(_mlp(size, out) for _ in range(SHARED_EXPERTS))
        self.specific = nn.ModuleList(nn.ModuleList(_mlp(size, out) for _ in range(SPECIFIC_EXPERTS)) for _ in sizes)
        self.gates = nn.ModuleList(nn.Linear(size, SHARED_EXPERTS + SPECIFIC_EXPERTS) for _ in sizes)

    def forward(self, vectors: Sequence[Tensor]) -> Tensor:
        """Concatenated mixtures, one a vector."""
        mixed = []
        for vector, specific, gate in zip(vectors, self.specific, self.gates, strict=True):
            experts = [expert(vector) for expert in [*self.shared, *specific]]  # type: ignore[misc]
            weights = torch.softmax(gate(vector), dim=-1)
            mixed.append((weights.unsqueeze(-1) * torch.stack(experts, dim=1)).sum(dim=1))
        return torch.cat(mixed, dim=-1)


class Separate(nn.Module):
    """One layer stack a vector, nothing shared: the linear and the MLP adaptor. Output (rows, vectors · out)."""

    def __init__(self, stacks: Sequence[nn.Module]) -> None:
        super().__init__()
        self.stacks = nn.ModuleList(stacks)

    def forward(self, vectors: Sequence[Tensor]) -> Tensor:
        """Concatenated projections, one a vector."""
        return torch.cat([stack(v) for stack, v in zip(self.stacks, vectors, strict=True)], dim=-1)


class Adaptor(nn.Module):
    """The chosen adaptor behind one LayerNorm a vector, and what stands where there is no vector: zeros, a flag of 0.

    ``kind``: linear, mlp or hea; ``sizes``: floats of each vector; ``out``: values that each becomes.
    Output (rows, width): vectors · out projected values, then a 0/1 flag a vector.
    """

    def __init__(self, kind: str, sizes: Sequence[int], out: int) -> None:
        super().__init__()
        self.width = len(sizes) * (out + 1)
        self.out = out
        self.norms = nn.ModuleList(nn.LayerNorm(size) for size in sizes)
        if kind == "hea":
            self.project: nn.Module = Mixture(sizes, out)
        else:
            self.project = Separate([nn.Linear(s, out) if kind == "linear" else _mlp(s, out) for s in sizes])

    def forward(self, vectors: Sequence[Tensor], flags: Tensor) -> Tensor:
        """``vectors``: each (rows, size); ``flags``: (rows, vectors), 1 where the row has that vector."""
        values: Tensor = self.project([norm(vector) for norm, vector in zip(self.norms, vectors, strict=True)])
        return torch.cat([values * flags.repeat_interleave(self.out, dim=1), flags], dim=1)


def _mlp(size: int, out: int) -> nn.Module:
    return nn.Sequential(nn.Linear(size, EXPERT_HIDDEN), nn.ReLU(), nn.Linear(EXPERT_HIDDEN, out))
