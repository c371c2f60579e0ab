"""vLLM in this process: one engine a GPU, or one on the CPU (the same API)."""

from __future__ import annotations

import gc
import os
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from trackrec.adapters import rank_of
from trackrec.engines.base import Completion, EngineSpec, Finished, Request
from trackrec.engines.chat import Chat

_RANKS = (8, 16, 32, 64, 128, 256, 512)  # what vLLM can be started for


class VllmEngine:
    """Continuous batching by ``LLMEngine``; see Engine for the contract."""

    name = "vllm"

    def __init__(self, spec: EngineSpec) -> None:
        use_environment(spec)
        from vllm import EngineArgs, LLMEngine

        self._spec = spec
        self._chat = Chat(spec)
        self._engine: Any = LLMEngine.from_engine_args(EngineArgs(**engine_arguments(spec)))
        self._adapter = _lora_request(spec.model.adapter)
        self._submitted: dict[str, tuple[str, float]] = {}  # key -> opening, time of submit
        self._rejected: list[Finished] = []

    @property
    def unfinished(self) -> int:
        """Requests submitted and not yet returned by ``step``."""
        return len(self._submitted) + len(self._rejected)

    def submit(self, request: Request) -> None:
        """Queue one request; one that is too long for the context comes back as a permanent fault."""
        from vllm.inputs import TokensPrompt

        ids = self._chat.ids(request)
        fault = self._chat.fault(ids)
        if fault is not None:
            self._rejected.append(Finished.failed(request.key, fault, "permanent", len(ids)))
            return
        self._engine.add_request(
            request.key, TokensPrompt(prompt_token_ids=ids), self.parameters(request), lora_request=self._adapter
        )
        self._submitted[request.key] = (request.opening, time.perf_counter())

    def parameters(self, request: Request) -> Any:
        """vLLM's SamplingParams of one request."""
        return sampling_params(self._spec, request.seed)

    def step(self) -> list[Finished]:
        """One scheduler step."""
        done, self._rejected = self._rejected, []
        if self._submitted:
            done += [self._finish(output) for output in self._engine.step() if output.finished]
        return done

    def abort(self) -> None:
        """Drop everything in flight; the engine answers later requests."""
        self._engine.abort_request(list(self._submitted))
        self._submitted.clear()
        self._rejected.clear()

    def close(self) -> None:
        """Free weights and cache, as far as vLLM can within a living process."""
        from vllm.distributed import cleanup_dist_env_and_memory

        with suppress(AttributeError):
            self._engine.engine_core.shutdown()
        self._engine = None
        gc.collect()
        cleanup_dist_env_and_memory()

    def _finish(self, output: Any) -> Finished:
        opening, started = self._submitted.pop(output.request_id)
        samples = tuple(
            Completion(opening + sample.text, len(sample.token_ids), sample.finish_reason)
            for sample in sorted(output.outputs, key=lambda sample: int(sample.index))
        )
        latency_ms = 1000 * (time.perf_counter() - started)
        return Finished(output.request_id, samples, len(output.prompt_token_ids), latency_ms)


class VllmScorer(VllmEngine):
    """V: one prefill a request, and the log-probabilities of ``spec.answers`` at the position behind it."""

    def __init__(self, spec: EngineSpec) -> None:
        super().__init__(spec)
        self._answers = self._chat.answer_ids()

    def parameters(self, request: Request) -> Any:
        """vLLM's SamplingParams of one request: the token that is written is not looked at."""
        from vllm import SamplingParams
        from vllm.sampling_params import RequestOutputKind

        return SamplingParams(
            temperature=0.0,
            max_tokens=1,
            logprob_token_ids=self._answers,
            output_kind=RequestOutputKind.FINAL_ONLY,
        )

    def _finish(self, output: Any) -> Finished:
        _, started = self._submitted.pop(output.request_id)
        found = output.outputs[0].logprobs[0]
        scores = tuple(float(found[token].logprob) for token in self._answers)
        latency_ms = 1000 * (time.perf_counter() - started)
        return Finished(output.request_id, (), len(output.prompt_token_ids), latency_ms, scores=scores)


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
