"""A training step of S-DPO with the prompt read once, against one sequence a candidate.

python -m bench.sdpo                       # SmolLM2-135M, LoRA, float32, 2 cores: about 5 minutes
python -m bench.sdpo --prompt 1000         # longer histories: the more to share

One step is forward and backward of one group (prompt 300 tokens, N RecCoTs of 100). The two forms take turns in one
process; the first step of each is not counted. A figure is the ratio of the medians; ``ratio`` is that of N = 10.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

from trackrec.models.resolve import resolve
from trackrec.models.threads import use_threads
from trackrec.runtime.settings import LoraSettings
from trackrec.runtime.settings_files import load_settings


def main() -> int:
    """Time both forms for every N and print the JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--prompt", type=int, default=300, help="tokens")
    parser.add_argument("--reccot", type=int, default=100, help="tokens")
    parser.add_argument("--candidates", type=int, nargs="+", default=[2, 5, 10])
    parser.add_argument("--steps", type=int, default=4)
    args = parser.parse_args()
    settings = load_settings("conf/local.yaml")
    use_threads(settings.generator.threads)
    from trackrec.models.lora import trainable

    source = resolve(settings.generator.model, settings.cache_dir())
    model = trainable(source, settings.generator.dtype, LoraSettings(), seed=1)
    results = {n: _compare(model, args, n) for n in args.candidates}
    line: dict[str, Any] = {"bench": "sdpo", "ratio": results[max(results)]["ratio"]}
    print(json.dumps(line | {"prompt": args.prompt, "reccot": args.reccot, "candidates": results}))
    return 0


def _compare(model: Any, args: argparse.Namespace, n: int) -> dict[str, float]:
    from trackrec.training.prefix import Group, separate_logps, shared_logps

    rng = random.Random(n)

    def tokens(length: int) -> tuple[int, ...]:
        return tuple(rng.randrange(100, 40_000) for _ in range(length))

    seconds: dict[str, list[float]] = {"shared": [], "separate": []}
    for step in range(args.steps + 1):
        group = Group(tokens(args.prompt), tuple(tokens(args.reccot) for _ in range(n)))
        for name, form in (("shared", shared_logps), ("separate", separate_logps)):
            took = _step(model, group, form)
            if step:
                seconds[name].append(took)
    median = {name: statistics.median(times) for name, times in seconds.items()}
    ratio = round(median["separate"] / median["shared"], 2)
    print(f"N = {n}: shared {median['shared']:.2f} s, separate {median['separate']:.2f} s a step: {ratio}", flush=True)
    return {"ratio": ratio} | {f"{name}_s": round(step_s, 3) for name, step_s in median.items()}


def _step(model: Any, group: Any, form: Callable[[Any, Any], Any]) -> float:
    import torch

    from trackrec.models.shared_attention import enable
    from trackrec.training.prefix import shared_logps
    from trackrec.training.sdpo_loss import sdpo_losses

    if form is shared_logps:
        enable(model)
    else:
        model.set_attn_implementation("sdpa")  # what one sequence a candidate would have
    model.zero_grad(set_to_none=True)
    began = time.perf_counter()
    logps = form(model, group)[None]
    losses = sdpo_losses(logps, logps.detach(), torch.ones_like(logps, dtype=torch.bool), beta=0.1)
    torch.autograd.backward(losses.mean())
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - began


if __name__ == "__main__":
    sys.exit(main())
