"""V on machines without vLLM: logits of the answers at the end of each prompt, a batch a step."""

from __future__ import annotations

import time
from collections import deque
from typing import Any

import torch

from trackrec.engines.answers import Tokens
from trackrec.engines.chat import Chat
from trackrec.engines.interface import EngineSpec, Finished, Request
from trackrec.models.lora import load


class TransformersScorer:
    """Each step reads up to ``max_num_seqs`` prompts in one forward pass; see Engine for the contract."""

    name = "transformers"

    def __init__(self, spec: EngineSpec) -> None:
        self._spec = spec
        self._chat = Chat(spec)
        self._device = "cuda" if torch.cuda.is_available() else "cpu"
        self._model: Any = load(spec.model, "float32" if spec.deterministic else spec.dtype)
        self._answers = self._chat.answers
        # In float32: bf16 logits step by .125 where they are near 16. Only the answers' rows of the head, and all of it
        # where answers have several tokens: their positions add up, so each needs its own norm.
        head: torch.Tensor = self._model.get_output_embeddings().weight
        self._rows = {start: head[tokens].float() for start, tokens in self._answers.nexts.items()}
        self._head = head.float() if len(self._rows) > 1 else None
        whole = self._model.get_base_model() if spec.model.adapter else self._model
        self._body: Any = whole.base_model  # without the head
        self._queue: deque[tuple[Request, list[int], float]] = deque()  # request, prompt ids, time of submit
        self._rejected: list[Finished] = []

    @property
    def unfinished(self) -> int:
        """Requests submitted and not yet returned by ``step``."""
        return len(self._queue) + len(self._rejected)

    def submit(self, request: Request) -> None:
        """Queue one request; one that is too long for the context comes back as a permanent fault."""
        ids = self._chat.ids(request)
        fault = self._chat.fault(ids)
        if fault is not None:
            self._rejected.append(Finished.failed(request.key, fault, "permanent", len(ids)))
        else:
            self._queue.append((request, ids, time.perf_counter()))

    def step(self) -> list[Finished]:
        """Score the next batch."""
        done, self._rejected = self._rejected, []
        batch = [self._queue[i] for i in range(min(len(self._queue), self._spec.max_num_seqs))]
        if batch:
            prompts = [ids for _, ids, _ in batch]
            found = {start: self._next(prompts, start, tokens) for start, tokens in self._answers.nexts.items()}
            for i, (request, ids, started) in enumerate(batch):
                scores = self._answers.scores({start: rows[i] for start, rows in found.items()})
                latency_ms = 1000 * (time.perf_counter() - started)
                done.append(Finished(request.key, (), len(ids), latency_ms, scores=scores))
            for _ in batch:
                self._queue.popleft()
        return done

    def abort(self) -> None:
        """Drop everything in flight."""
        self._queue.clear()
        self._rejected.clear()

    def close(self) -> None:
        """Free the weights."""
        self._model = self._body = None
        if self._device == "cuda":
            torch.cuda.empty_cache()

    @torch.inference_mode()
    def _next(self, prompts: list[list[int]], start: Tokens, tokens: list[int]) -> list[dict[int, float]]:
        """Of each prompt with ``start`` behind it: token → log-probability, up to a constant a prompt if that cancels.

        Padded on the right, so that positions are those of each prompt alone.
        """
        rows = [[*prompt, *start] for prompt in prompts]
        width = max(map(len, rows))
        ids = torch.tensor([row + [0] * (width - len(row)) for row in rows], device=self._device)
        mask = torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in rows], device=self._device)
        hidden = self._body(input_ids=ids, attention_mask=mask, use_cache=False).last_hidden_state
        last = hidden[torch.arange(len(rows)), mask.sum(dim=1) - 1].float()
        scores = last @ self._rows[start].T
        if self._head is not None:
            scores = scores - torch.logsumexp(last @ self._head.T, dim=1, keepdim=True)
        return [dict(zip(tokens, row, strict=True)) for row in scores.tolist()]
