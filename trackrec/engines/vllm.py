"""vLLM in this process: one engine a GPU, or one on the CPU (the same API)."""

from __future__ import annotations

import gc
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from trackrec.engines.answers import Tokens
from trackrec.engines.chat import Chat
from trackrec.engines.interface import Completion, EngineSpec, Finished, Request
from trackrec.models.adapters import rank_of

_RANKS = (8, 16, 32, 64, 128, 256, 512)  # what vLLM can be started for


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
        self._submitted: dict[str, tuple[Request, float]] = {}  # vLLM's request -> ours, time of submit
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
        for name, ids_asked, parameters in self._asked(request, ids):
            prompt = TokensPrompt(prompt_token_ids=ids_asked)
            self._engine.add_request(name, prompt, parameters, lora_request=self._adapter)
            self._submitted[name] = (request, time.perf_counter())

    def _asked(self, request: Request, ids: list[int]) -> list[tuple[str, list[int], Any]]:
        """What vLLM is asked for one request: (unique name, prompt ids, SamplingParams) each."""
        return [(request.key, ids, self.parameters(request))]

    def parameters(self, request: Request) -> Any:
        """vLLM's SamplingParams of one request."""
        return sampling_params(self._spec, request.seed)

    def step(self) -> list[Finished]:
        """One scheduler step."""
        done, self._rejected = self._rejected, []
        if self._submitted:
            ended = [self._finish(output) for output in self._engine.step() if output.finished]
            done += [finished for finished in ended if finished is not None]
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

    def _finish(self, output: Any) -> Finished | None:
        """What one of vLLM's outputs finishes; None while others of the same request are on their way."""
        request, started = self._submitted.pop(output.request_id)
        samples = tuple(
            Completion(request.opening + sample.text, len(sample.token_ids), sample.finish_reason)
            for sample in sorted(output.outputs, key=lambda sample: int(sample.index))
        )
        latency_ms = 1000 * (time.perf_counter() - started)
        return Finished(request.key, samples, len(output.prompt_token_ids), latency_ms)


class VllmScorer(VllmEngine):
    """V: the log-probabilities of ``spec.answers`` behind a prompt, by one prefill where they are one token each.

    Longer answers take one request for each beginning of theirs, of which the prefix cache reads the prompt once.
    """

    def __init__(self, spec: EngineSpec) -> None:
        super().__init__(spec)
        self._answers = self._chat.answers
        self._positions = list(self._answers.nexts.items())
        self._found: dict[str, dict[Tokens, dict[int, float]]] = {}  # key -> log-probabilities so far

    def abort(self) -> None:
        """Drop everything in flight; the engine answers later requests."""
        super().abort()
        self._found.clear()

    def _asked(self, request: Request, ids: list[int]) -> list[tuple[str, list[int], Any]]:
        positions = enumerate(self._positions)
        return [(f"{request.key} {i}", [*ids, *start], _looking_at(tokens)) for i, (start, tokens) in positions]

    def _finish(self, output: Any) -> Finished | None:
        request, started = self._submitted.pop(output.request_id)
        found = self._found.setdefault(request.key, {})
        start, tokens = self._positions[int(output.request_id.rsplit(" ", 1)[1])]
        logprobs = output.outputs[0].logprobs[0]
        found[start] = {token: float(logprobs[token].logprob) for token in tokens}
        if len(found) < len(self._positions):
            return None
        scores = self._answers.scores(self._found.pop(request.key))
        latency_ms = 1000 * (time.perf_counter() - started)
        return Finished(request.key, (), len(output.prompt_token_ids) - len(start), latency_ms, scores=scores)


def _looking_at(tokens: list[int]) -> Any:
    """SamplingParams that tell the log-probabilities of ``tokens``; the token that is written is not looked at."""
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
