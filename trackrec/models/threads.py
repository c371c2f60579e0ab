"""CPU threads of torch, wherever it runs."""

from __future__ import annotations

import os


def use_threads(threads: int) -> None:
    """Let torch use ``threads`` CPU threads in this process; call it before anything imports torch.

    Spark gives its Python workers OMP_NUM_THREADS=1. PASSIVE: by default OpenMP's threads spin at every barrier, and
    where the JVM or another job wants the same cores, each barrier costs a time slice: 8 tokens of a 135 M model took
    7-18 s on two busy cores, with PASSIVE 1.6-2.0 s.
    """
    os.environ["OMP_NUM_THREADS"] = str(threads)
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    import torch

    if torch.get_num_threads() != threads:  # torch was imported earlier in this worker
        torch.set_num_threads(threads)
