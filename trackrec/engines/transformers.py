"""The engine for machines without vLLM: transformers' generate over batches, greedy or seeded sampling."""

from __future__ import annotations

from typing import Any

import torch
from transformers import GenerationConfig, LogitsProcessor, StoppingCriteria, StopStringCriteria

from trackrec.engines.chat import Chat
from trackrec.engines.interface import Completion, Finished, Request
from trackrec.engines.queue import BatchEngine, QueuedRequest
from trackrec.engines.spec import EngineSpec
from trackrec.models.lora import load


class TransformersEngine(BatchEngine):
    """Each step writes one whole batch of up to ``max_num_seqs`` sequences; see Engine for the contract."""

    name = "transformers"

    def __init__(self, spec: EngineSpec) -> None:
        self._spec = spec
        self._chat = Chat(spec)
        super().__init__(self._chat, max(1, spec.max_num_seqs // spec.sampling.n))
        self._device = "cuda" if torch.cuda.is_available() else "cpu"
        self._model: Any = load(spec.model, "float32" if spec.deterministic else spec.dtype)
        ends = self._model.generation_config.eos_token_id or self._chat.tokenizer.eos_token_id
        self._ends: list[int] = ends if isinstance(ends, list) else [ends]
        # The model's own defaults (penalties, top_k) would bend what the settings ask for: only its end tokens stay.
        defaults: dict[str, Any] = {"eos_token_id": self._ends, "pad_token_id": self._ends[0]}
        self._model.generation_config = GenerationConfig(**defaults)  # type: ignore[no-untyped-call]
        # Built once: what it tabulates of a vocabulary of 49,000 tokens takes .2 s, even out of its own cache.
        stops = list(spec.sampling.stop)
        self._stops = StopStringCriteria(self._chat.tokenizer, stops) if stops else None

    def close(self) -> None:
        """Free the weights."""
        self._model = None
        if self._device == "cuda":
            torch.cuda.empty_cache()

    def _run(self, batch: list[QueuedRequest]) -> list[Finished]:
        n = self._spec.sampling.n
        rows = self._write([(queued.prompt_ids, queued.request.seed + i) for queued in batch for i in range(n)])
        finished: list[Finished] = []
        for index, queued in enumerate(batch):
            request, prompt = queued.request, queued.prompt_ids
            samples = tuple(self._completion(request, prompt, row) for row in rows[index * n : (index + 1) * n])
            finished.append(Finished(request.key, samples, len(prompt), queued.latency_ms()))
        return finished

    @torch.inference_mode()
    def _write(self, rows: list[tuple[list[int], int]]) -> list[list[int]]:
        """Token ids written for each (prompt ids, seed); what follows an end token or a stop string is end tokens."""
        sampling = self._spec.sampling
        width = max(len(ids) for ids, _ in rows)
        blank = [width - len(ids) for ids, _ in rows]
        padded = [[self._ends[0]] * gap + ids for (ids, _), gap in zip(rows, blank, strict=True)]
        mask = [[0] * gap + [1] * (width - gap) for gap in blank]
        processors: list[LogitsProcessor] = []
        if sampling.frequency_penalty:
            processors.append(FrequencyPenalty(sampling.frequency_penalty, width))
        if sampling.temperature > 0:
            seeds = [seed for _, seed in rows]
            processors.append(SeededNoise(seeds, sampling.temperature, sampling.top_p, self._device))
        written = self._model.generate(
            input_ids=torch.tensor(padded, device=self._device),
            attention_mask=torch.tensor(mask, device=self._device),
            max_new_tokens=sampling.max_tokens,
            do_sample=False,
            logits_processor=processors,
            stopping_criteria=[WrittenText(self._stops, width)] if self._stops is not None else [],
        )
        return [[int(token) for token in row] for row in written[:, width:]]

    def _completion(self, request: Request, prompt: list[int], row: list[int]) -> Completion:
        end = next((i for i, token in enumerate(row) if token in self._ends), None)
        ids = row[:end]
        decode = self._chat.tokenizer.decode
        # Decoded after the prompt's tail: on its own, a SentencePiece text loses its leading space.
        before = decode(prompt[-4:], skip_special_tokens=True)
        text = decode(prompt[-4:] + ids, skip_special_tokens=True)[len(before) :]
        stops = [text.index(stop) for stop in self._spec.sampling.stop if stop in text]
        if stops:
            return Completion(request.opening + text[: min(stops)], len(ids), "stop")
        reason = "length" if end is None else "stop"
        return Completion(request.opening + text, len(ids) + (end is not None), reason)


class WrittenText(StoppingCriteria):
    """A criterion that is shown, of each row, only what the row wrote: from column ``width`` on.

    ``generate(stop_strings=…)`` looks at the prompt too: behind a prompt that ends with a line break, one more would
    end a row at the stop string of two, where vLLM goes on.
    """

    def __init__(self, criterion: StoppingCriteria, width: int) -> None:
        self._criterion, self._width = criterion, width

    def __call__(self, input_ids: Any, scores: Any, **_: Any) -> Any:
        """[rows] bool: which rows are over."""
        return self._criterion(input_ids[:, self._width :], scores)


class FrequencyPenalty(LogitsProcessor):
    """Lowers a token's logit by ``penalty`` for each time the row wrote it, from column ``width`` on; as in vLLM."""

    def __init__(self, penalty: float, width: int) -> None:
        self._penalty, self._width = penalty, width

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """[rows, vocabulary] logits."""
        written = input_ids[:, self._width :]
        return scores.scatter_add(
            1, written, torch.full(written.shape, -self._penalty, dtype=scores.dtype, device=scores.device)
        )


class SeededNoise(LogitsProcessor):
    """Sampling as an argmax: log p minus log of Exp(1) noise, each row with a generator of its own.

    The same distribution as multinomial sampling (the exponential race), but a row's draw depends on its seed alone,
    not on the rows beside it.
    """

    def __init__(self, seeds: list[int], temperature: float, top_p: float, device: str) -> None:
        self._generators = [torch.Generator(device).manual_seed(seed) for seed in seeds]
        self._temperature, self._top_p = temperature, top_p

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """[rows, vocabulary] log-probabilities with noise; outside the top_p nucleus -inf."""
        log_p = torch.log_softmax(scores.float() / self._temperature, dim=-1)
        if self._top_p < 1:
            sorted_p, order = log_p.exp().sort(dim=-1, descending=True)
            outside = sorted_p.cumsum(dim=-1) - sorted_p > self._top_p
            log_p = log_p.masked_fill(outside.scatter(-1, order, outside), -torch.inf)
        noise = torch.empty_like(log_p)
        for row, generator in zip(noise, self._generators, strict=True):
            row.exponential_(generator=generator)
        return log_p - noise.log()
