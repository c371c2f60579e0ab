"""V on machines without vLLM: logits of the answers at the end of each prompt, a batch a step."""

from __future__ import annotations

from typing import Any

import torch

from trackrec.engines.answers import Tokens
from trackrec.engines.chat import Chat
from trackrec.engines.interface import Finished
from trackrec.engines.queue import BatchEngine, QueuedRequest
from trackrec.engines.spec import EngineSpec
from trackrec.models.lora import load


class TransformersScorer(BatchEngine):
    """Each step reads up to ``max_num_seqs`` prompts in one forward pass; see Engine for the contract."""

    name = "transformers"

    def __init__(self, spec: EngineSpec) -> None:
        chat = Chat(spec)
        super().__init__(chat, spec.max_num_seqs)
        self._device = "cuda" if torch.cuda.is_available() else "cpu"
        self._model: Any = self._loaded(spec)
        self._answers = chat.answers
        # In float32: bf16 logits step by .125 where they are near 16. Only the answers' rows of the head, and all of it
        # where answers have several tokens: their positions add up, so each needs its own norm.
        head: torch.Tensor = self._model.get_output_embeddings().weight
        self._rows = {prefix: head[tokens].float() for prefix, tokens in self._answers.next_tokens.items()}
        self._head = None if self._answers.one_token_each else head.float()
        adapted = hasattr(self._model, "get_base_model")
        self._causal_lm: Any = self._model.get_base_model() if adapted else self._model
        self._body: Any = self._causal_lm.base_model  # without the head

    def _loaded(self, spec: EngineSpec) -> Any:
        """The model with its adapter."""
        return load(spec.model, "float32" if spec.deterministic else spec.dtype)

    def close(self) -> None:
        """Free the weights."""
        self._model = self._causal_lm = self._body = None
        if self._device == "cuda":
            torch.cuda.empty_cache()

    def _run(self, batch: list[QueuedRequest]) -> list[Finished]:
        log_probabilities = self._log_probabilities([queued.prompt_ids for queued in batch])
        finished: list[Finished] = []
        for i, queued in enumerate(batch):
            scores = self._answers.scores({prefix: rows[i] for prefix, rows in log_probabilities.items()})
            latency_ms = queued.latency_ms()
            finished.append(Finished(queued.request.key, (), len(queued.prompt_ids), latency_ms, scores=scores))
        return finished

    def _log_probabilities(self, prompts: list[list[int]]) -> dict[Tokens, list[dict[int, float]]]:
        """Beginning of an answer → ``_next`` with it."""
        positions = self._answers.next_tokens.items()
        return {prefix: self._next(prompts, prefix, tokens) for prefix, tokens in positions}

    @torch.inference_mode()
    def _next(self, prompts: list[list[int]], prefix: Tokens, tokens: list[int]) -> list[dict[int, float]]:
        """Of each prompt with ``prefix`` behind it: token → log-probability, up to a constant a prompt if that cancels.

        Padded on the right, so that positions are those of each prompt alone.
        """
        rows = [[*prompt, *prefix] for prompt in prompts]
        width = max(map(len, rows))
        ids = torch.tensor([row + [0] * (width - len(row)) for row in rows], device=self._device)
        mask = torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in rows], device=self._device)
        hidden = self._body(input_ids=ids, attention_mask=mask, use_cache=False).last_hidden_state
        last = hidden[torch.arange(len(rows)), mask.sum(dim=1) - 1]
        return self._answers_behind(last, prefix, tokens)

    def _answers_behind(self, last: torch.Tensor, prefix: Tokens, tokens: list[int]) -> list[dict[int, float]]:
        """As ``_next``, from the last hidden state of each prompt, [prompts, dim]."""
        last = last.float()
        scores = last @ self._rows[prefix].T
        if self._head is not None:
            scores = scores - torch.logsumexp(last @ self._head.T, dim=1, keepdim=True)
        return [dict(zip(tokens, row, strict=True)) for row in scores.tolist()]
