"""V with every common beginning read once: the prompts of a batch are one sequence, a tree of prefixes.

Of a history's candidates and their next events the history is read once, each RecCoT once, and each item. vLLM's
prefix cache shares whole blocks only and so reads up to a block of each prompt again (docs/decisions/0012).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch

from trackrec.engines.answers import Tokens
from trackrec.engines.prefix_tree import common_start, prefix_tree
from trackrec.engines.queue import QueuedRequest
from trackrec.engines.spec import EngineSpec
from trackrec.engines.transformers_scorer import TransformersScorer
from trackrec.models import shared_attention
from trackrec.runtime.errors import BadInputError


class PackedScorer(TransformersScorer):
    """Each step reads up to ``max_packed_tokens`` tokens in one forward pass; see Engine for the contract.

    Requests are taken in the order in which they came: those with a common beginning must come together. Raises
    BadInputError where ``spec`` has no answers, or the model's attention is not plain.
    """

    name = "packed"

    def __init__(self, spec: EngineSpec) -> None:
        if not spec.answers:
            raise BadInputError("engine packed judges and cannot write.", "Name another engine for G.")
        super().__init__(spec)
        self._max_tokens = spec.max_packed_tokens
        if not shared_attention.enable(self._causal_lm):
            raise BadInputError(
                f"engine packed: the attention of {self._causal_lm.config.model_type} is not plain (a sliding window, "
                "capped logits).",
                "Set validator.engine to vllm or transformers.",
            )

    def _loaded(self, spec: EngineSpec) -> Any:
        """In float32 with the adapter added to the weights: nothing is lost by it, and two products a layer fewer."""
        model = super()._loaded(spec)
        exact = spec.deterministic or spec.dtype == "float32"
        return model.merge_and_unload() if spec.model.adapter and exact else model

    def _next_batch(self, queue: Iterable[QueuedRequest]) -> list[QueuedRequest]:
        """As many as fit, one at least; what a prompt has in common with the one before it is counted once."""
        batch: list[QueuedRequest] = []
        tokens = 0
        before: list[int] = []
        for queued in queue:
            tokens += len(queued.prompt_ids) - common_start(before, queued.prompt_ids)
            if batch and tokens > self._max_tokens:
                break
            batch.append(queued)
            before = queued.prompt_ids
        return batch

    @torch.inference_mode()
    def _log_probabilities(self, prompts: list[list[int]]) -> dict[Tokens, list[dict[int, float]]]:
        beginnings = list(self._answers.next_tokens)
        tree = prefix_tree([[*prompt, *beginning] for beginning in beginnings for prompt in prompts])
        hidden: Any = self._body(
            input_ids=torch.tensor([tree.tokens], device=self._device),
            position_ids=torch.tensor([tree.positions], device=self._device),
            use_cache=False,
            families=tree.families,
        ).last_hidden_state
        ends = torch.tensor(tree.ends, device=self._device).view(len(beginnings), len(prompts))
        return {
            beginning: self._answers_behind(hidden[0, rows], beginning, self._answers.next_tokens[beginning])
            for beginning, rows in zip(beginnings, ends, strict=True)
        }
