"""How exactly a training multiplies."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def products(*, bfloat16: bool) -> Iterator[None]:
    """Products of float32 matrices in bfloat16, summed in float32, where the processor has instructions for it."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("medium" if bfloat16 else before)
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)
