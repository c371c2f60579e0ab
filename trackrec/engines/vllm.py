"""vLLM in this process: one engine a GPU, or one on the CPU (the same API)."""

from __future__ import annotations

import gc
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from trackrec.engines.answers import Tokens
from trackrec.engines.chat import Chat
from trackrec.engines.interface import Completion, Finished, Request
from trackrec.engines.queue import Intake, QueuedRequest
from trackrec.engines.spec import EngineSpec
from trackrec.models.adapters import rank_of

_CPU_BLOCK = 32  # tokens; vLLM's own choice there is 128, and only whole blocks of a common beginning are shared
_RANKS = (8, 16, 32, 64, 128, 256, 512)  # what vLLM can be started for


@dataclass(frozen=True)
class Prompt:
    """What vLLM reads for a request: its prompt with ``prefix``, the beginning of an answer, behind it."""

    queued: QueuedRequest
    prefix: Tokens
    parameters: Any


class VllmEngine:
    """Continuous batching by ``LLMEngine``; see Engine for the contract."""

    name = "vllm"

    def __init__(self, spec: EngineSpec) -> None:
        use_environment(spec)
        from vllm import EngineArgs, LLMEngine

        self._spec = spec
        self._chat = Chat(spec)
        with _as_served(spec) as served:
            self._engine: Any = LLMEngine.from_engine_args(EngineArgs(**engine_arguments(served)))
        self._adapter = _lora_request(served.model.adapter)
        self._intake = Intake(self._chat)
        self._in_flight: dict[str, Prompt] = {}  # by vLLM's request id

    @property
    def unfinished(self) -> int:
        """Prompts that vLLM has not finished, and refused requests not yet returned by ``step``."""
        return len(self._in_flight) + len(self._intake)

    def submit(self, request: Request) -> None:
        """Queue one request; one that is too long for the context comes back as a permanent fault."""
        from vllm.inputs import TokensPrompt

        queued = self._intake.admit(request)
        if queued is None:
            return
        for number, prompt in enumerate(self._prompts(queued)):
            name = f"{request.key} {number}"
            ids = TokensPrompt(prompt_token_ids=[*queued.prompt_ids, *prompt.prefix])
            self._engine.add_request(name, ids, prompt.parameters, lora_request=self._adapter)
            self._in_flight[name] = prompt

    def _prompts(self, queued: QueuedRequest) -> list[Prompt]:
        """What vLLM has to read for one request."""
        return [Prompt(queued, (), self.parameters(queued.request))]

    def parameters(self, request: Request) -> Any:
        """vLLM's SamplingParams of one request."""
        return sampling_params(self._spec, request.seed)

    def step(self) -> list[Finished]:
        """One scheduler step."""
        finished: list[Finished] = []
        if self._in_flight:
            ended = [self._finish(output) for output in self._engine.step() if output.finished]
            finished = [outcome for outcome in ended if outcome is not None]
        return self._intake.take_refused() + finished

    def abort(self) -> None:
        """Drop everything in flight; the engine serves later requests."""
        self._engine.abort_request(list(self._in_flight))
        self._in_flight.clear()
        self._intake.take_refused()

    def close(self) -> None:
        """Free weights and cache, as far as vLLM can within a living process."""
        from vllm.distributed import cleanup_dist_env_and_memory

        with suppress(AttributeError):
            self._engine.engine_core.shutdown()
        self._engine = None
        gc.collect()
        cleanup_dist_env_and_memory()

    def _finish(self, output: Any) -> Finished | None:
        """What one of vLLM's outputs finishes; None while others of the same request are on their way."""
        queued = self._in_flight.pop(output.request_id).queued
        opening = queued.request.opening
        samples = tuple(
            Completion(opening + sample.text, len(sample.token_ids), sample.finish_reason)
            for sample in sorted(output.outputs, key=lambda sample: int(sample.index))
        )
        return Finished(queued.request.key, samples, len(queued.prompt_ids), queued.latency_ms())


class VllmScorer(VllmEngine):
    """V: the log-probabilities of ``spec.answers`` behind a prompt, by one prefill where they are one token each.

    Longer answers take one prompt for each of their beginnings, of which the prefix cache reads the request once.
    """

    def __init__(self, spec: EngineSpec) -> None:
        super().__init__(spec)
        self._answers = self._chat.answers
        # Of requests of which some prompts are finished: key -> beginning -> next token -> log-probability.
        self._partial: dict[str, dict[Tokens, dict[int, float]]] = {}

    def abort(self) -> None:
        """Drop everything in flight; the engine serves later requests."""
        super().abort()
        self._partial.clear()

    def _prompts(self, queued: QueuedRequest) -> list[Prompt]:
        positions = self._answers.next_tokens.items()
        return [Prompt(queued, prefix, _scoring_params(tokens)) for prefix, tokens in positions]

    def _finish(self, output: Any) -> Finished | None:
        prompt = self._in_flight.pop(output.request_id)
        queued, key = prompt.queued, prompt.queued.request.key
        logprobs = output.outputs[0].logprobs[0]
        log_probabilities = self._partial.setdefault(key, {})
        log_probabilities[prompt.prefix] = {
            token: float(logprobs[token].logprob) for token in self._answers.next_tokens[prompt.prefix]
        }
        if not self._answers.scored(log_probabilities):
            return None
        scores = self._answers.scores(self._partial.pop(key))
        return Finished(key, (), len(queued.prompt_ids), queued.latency_ms(), scores=scores)


def _scoring_params(tokens: list[int]) -> Any:
    """SamplingParams that return the log-probabilities of ``tokens``; the one token that vLLM writes is not used."""
    from vllm import SamplingParams
    from vllm.sampling_params import RequestOutputKind

    return SamplingParams(
        temperature=0.0, max_tokens=1, logprob_token_ids=tokens, output_kind=RequestOutputKind.FINAL_ONLY
    )


def use_environment(spec: EngineSpec) -> None:
    """Settings that vLLM reads once: call it before vLLM is imported."""
    os.environ.update(
        VLLM_ENABLE_V1_MULTIPROCESSING="0",  # child processes survive a killed Spark worker and keep the GPU
        VLLM_CPU_KVCACHE_SPACE=str(spec.kv_cache_gb),
        VLLM_NO_USAGE_STATS="1",
        DO_NOT_TRACK="1",
    )
    os.environ.setdefault("VLLM_LOGGING_LEVEL", "WARNING")
    import torch

    if torch.cuda.is_available() and spec.deterministic:
        os.environ["VLLM_BATCH_INVARIANT"] = "1"


@contextmanager
def _as_served(spec: EngineSpec) -> Iterator[EngineSpec]:
    """``spec`` as vLLM is to load it: on a CPU in float32 the adapter is added to the weights, in a scratch folder.

    vLLM's LoRA layers gather an adapter's weights anew for every token, which a GPU's kernel does not: on 2 cores 159
    RecCoTs had not come in 300 s; the base alone writes 2.2 a second. Nothing is lost by it in float32. Rounded to
    bfloat16 small updates would be (docs/decisions/0006): there, and on GPUs, the adapter stays beside the weights.
    """
    from vllm.platforms import current_platform

    exact = spec.deterministic or spec.dtype == "float32"
    if not (spec.model.adapter and current_platform.is_cpu() and exact):
        yield spec
        return
    from trackrec.models.lora import write_merged

    with tempfile.TemporaryDirectory(prefix="trackrec-merged-") as folder:
        write_merged(spec.model, Path(folder))
        yield replace(spec, model=replace(spec.model, path=folder, adapter=""))


def engine_arguments(spec: EngineSpec) -> dict[str, Any]:
    """Keyword arguments of vLLM's EngineArgs and LLM alike."""
    from vllm.platforms import current_platform

    arguments: dict[str, Any] = {
        "model": spec.model.path,
        "dtype": spec.dtype,
        "max_model_len": spec.max_model_len,
        "max_num_seqs": spec.max_num_seqs,
        "enable_prefix_caching": True,
        "disable_log_stats": True,
        "use_tqdm_on_load": False,
        "trust_remote_code": False,
    }
    if spec.model.adapter:
        rank = rank_of(Path(spec.model.adapter))
        arguments |= {"enable_lora": True, "max_loras": 1, "max_lora_rank": min(r for r in _RANKS if r >= rank)}
    block = spec.kv_block or (_CPU_BLOCK if current_platform.is_cpu() else None)
    if block is not None:
        arguments["block_size"] = block
    if spec.answers:
        # In bf16 logits step by .125 where they are near 16: candidates would tie.
        arguments["hf_overrides"] = {"head_dtype": "float32"}
    if current_platform.is_cpu():
        # Compiling took over 60 s and brought 350 to 470 tokens/s: it pays only from about 80,000 tokens on.
        arguments["enforce_eager"] = True
        if spec.deterministic:
            arguments["dtype"] = "float32"
        if spec.deterministic or spec.sampling.temperature > 0:
            # A chunked prompt is summed in other groups; and a per-request seed crashes the CPU engine when chunked
            # prefill throws a sampled token away.
            arguments["enable_chunked_prefill"] = False
            arguments["max_num_batched_tokens"] = max(4096, spec.max_model_len)
    return arguments


def _lora_request(adapter: str) -> Any:
    """The adapter that every request of the engine goes through; None where the model has none."""
    if not adapter:
        return None
    from vllm.lora.request import LoRARequest

    return LoRARequest("trackrec", 1, adapter)


def sampling_params(spec: EngineSpec, seed: int) -> Any:
    """SamplingParams as ``spec.sampling`` has them; greedy decoding takes no seed."""
    from vllm import SamplingParams
    from vllm.sampling_params import RequestOutputKind

    sampling = spec.sampling
    return SamplingParams(
        temperature=sampling.temperature,
        top_p=sampling.top_p,
        frequency_penalty=sampling.frequency_penalty,
        max_tokens=sampling.max_tokens,
        n=sampling.n,
        stop=list(sampling.stop),
        seed=seed if sampling.temperature > 0 else None,
        output_kind=RequestOutputKind.FINAL_ONLY,  # with step(), the default loses samples of n > 1
    )
