"""Candidates and their judgements per second, against the way they were published, on the same engines.

python -m bench.feedback                                      # SmolLM2-135M on 2 cores, about 15 minutes
python -m bench.feedback --histories 512 --max-num-seqs 256   # one GPU

Shared: the N candidates of a history are one request (n = N), and V says P(Yes) by one prefill whose last position is
asked for two tokens. Published: N passes over all histories, each a request of its own with one sample; V writes up to
10 tokens with the 20 largest log-probabilities of each, in which Yes and No are then looked for. G and V are one engine
each, used by both ways in turns, who goes first changes each round; before each turn the prefix cache is emptied, and
within it both ways have it, as vLLM has it by default. Every round has histories of its own; round 0 warms up and is
not counted. ``ratio`` is seconds published ÷ seconds shared, both parts, the median over rounds.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench.asking import answered, prompt_of
from bench.logs import write_log
from bench.pandas_histories import with_loops
from trackrec.engines.interface import Finished, Request
from trackrec.engines.queue import QueuedRequest
from trackrec.engines.spec import EngineSpec
from trackrec.engines.vllm import Prompt, VllmEngine, VllmScorer, use_environment
from trackrec.feedback.templates import ValidatorTemplate
from trackrec.feedback.validator import validator_settings
from trackrec.histories.templates import template_of
from trackrec.models.resolve import resolve
from trackrec.models.threads import use_threads
from trackrec.runtime.settings import SamplingSettings, Settings
from trackrec.runtime.settings_files import load_settings

ITEMS = ["Heat", "The Piano", "Alien", "Babe", "Speed", "Fargo", "Casablanca", "Psycho", "Gandhi", "Clueless"]


class Writer(VllmEngine):
    """G, whose requests ask for ``samples`` candidates each."""

    samples = 1

    def parameters(self, request: Request) -> Any:
        parameters = super().parameters(request)
        parameters.n = self.samples
        return parameters


class Judge(VllmScorer):
    """V, that scores by one prefill, or as ``published`` by what it writes."""

    published = False
    missed = 0  # of the published way: judgements whose 20 largest had no Yes or no No at any position

    def _prompts(self, queued: QueuedRequest) -> list[Prompt]:
        if not self.published:
            return super()._prompts(queued)
        from vllm import SamplingParams
        from vllm.sampling_params import RequestOutputKind

        final = RequestOutputKind.FINAL_ONLY
        return [Prompt(queued, (), SamplingParams(temperature=0.0, max_tokens=10, logprobs=20, output_kind=final))]

    def _finish(self, output: Any) -> Finished | None:
        if not self.published:
            return super()._finish(output)
        request = self._in_flight.pop(output.request_id).queued.request
        tokens = [answer[0] for answer in self._answers.tokens]
        at = next((top for top in output.outputs[0].logprobs if all(token in top for token in tokens)), None)
        self.missed += at is None
        scores = tuple(at[token].logprob for token in tokens) if at else ()
        return Finished(request.key, (), len(output.prompt_token_ids), 0.0, scores=scores)


def main() -> int:
    """Play the rounds and print the JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--histories", type=int, default=8, help="a round")
    parser.add_argument("--candidates", type=int, default=10)
    parser.add_argument("--events", type=int, default=8, help="next events that each candidate is judged on")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--max-num-seqs", type=int, default=64)
    args = parser.parse_args()
    settings = load_settings("conf/local.yaml", ["histories.every_n=10"])
    use_threads(settings.generator.threads)
    writer, judge = _engines(settings, args.max_num_seqs)
    bodies = _bodies(settings, args.histories * (args.rounds + 1))
    rounds: list[dict[str, dict[str, float]]] = []
    for number in range(args.rounds + 1):
        of_round = bodies[number * args.histories : (number + 1) * args.histories]
        order = ("shared", "published") if number % 2 else ("published", "shared")
        rounds.append({way: _turn(way, of_round, writer, judge, settings, args) for way in order})
        seconds = "; ".join(f"{way} {row['candidates_s']} + {row['scores_s']} s" for way, row in rounds[-1].items())
        print(f"round {number}{' (warm-up)' if not number else ''}: {seconds}", flush=True)
    counted = rounds[1:]
    line: dict[str, Any] = {"bench": "feedback", "ratio": _ratio(counted, "candidates_s", "scores_s")}
    line |= {"candidates_ratio": _ratio(counted, "candidates_s"), "scores_ratio": _ratio(counted, "scores_s")}
    print(json.dumps(line | {"settings": vars(args), "rounds": counted}))
    return 0


def _ratio(rounds: list[dict[str, dict[str, float]]], *parts: str) -> float:
    def seconds(row: dict[str, float]) -> float:
        return sum(row[part] for part in parts)

    return round(statistics.median(seconds(r["published"]) / seconds(r["shared"]) for r in rounds), 2)


def _engines(settings: Settings, max_num_seqs: int) -> tuple[Writer, Judge]:
    """G with the loop's sampling, V from the same base, each as the settings have it."""
    generator = settings.generator
    model = resolve(generator.model, settings.cache_dir())
    template = template_of(settings.prompt, settings.histories)
    sampling = SamplingSettings(temperature=1.0, max_tokens=generator.sampling.max_tokens, stop=generator.sampling.stop)
    spec = replace(
        EngineSpec.for_generator(generator, model, template.opening), sampling=sampling, max_num_seqs=max_num_seqs
    )
    scoring = replace(EngineSpec.for_validator(validator_settings(settings), model), max_num_seqs=max_num_seqs)
    use_environment(spec)
    return Writer(spec), Judge(scoring)


def _bodies(settings: Settings, count: int) -> list[str]:
    with tempfile.TemporaryDirectory(prefix="bench-feedback-") as scratch:
        log = write_log(Path(scratch) / "log", 40 * count)
        frame = with_loops(log, settings.histories, template_of(settings.prompt, settings.histories))
    bodies: list[str] = frame.drop_duplicates("prompt_body")["prompt_body"].sample(count, random_state=7).tolist()
    return bodies


def _turn(
    way: str, bodies: list[str], writer: Writer, judge: Judge, settings: Settings, args: argparse.Namespace
) -> dict[str, float]:
    """Seconds of one way for all candidates and all their judgements."""
    for engine in (writer, judge):
        engine._engine.reset_prefix_cache()
    writer.samples = args.candidates if way == "shared" else 1
    judge.published, judge.missed = way == "published", 0
    opening = template_of(settings.prompt, settings.histories).opening
    passes = range(1) if way == "shared" else range(args.candidates)
    began = time.perf_counter()
    written: dict[int, list[str]] = {i: [] for i in range(len(bodies))}
    tokens = 0
    for number in passes:
        requests = [Request(str(i), body, opening, 1000 * i + number) for i, body in enumerate(bodies)]
        for finished in answered(writer, requests):
            written[int(finished.key)] += [sample.text for sample in finished.completions]
            tokens += sum(sample.output_tokens for sample in finished.completions)
    between = time.perf_counter()
    prompts = list(_judgements(bodies, written, settings, args.events))
    if way == "published":  # candidate by candidate, as its passes wrote them
        prompts.sort(key=lambda prompt: prompt[0])
    scored = answered(judge, [Request(str(i), prompt, "", 0) for i, (_, prompt) in enumerate(prompts)])
    ended = time.perf_counter()
    return {
        "candidates_s": round(between - began, 2),
        "scores_s": round(ended - between, 2),
        "candidates": sum(map(len, written.values())),
        "tokens": tokens,
        "scores": len(scored),
        "missed": judge.missed,
    }


def _judgements(
    bodies: list[str], written: dict[int, list[str]], settings: Settings, events: int
) -> Iterable[tuple[int, str]]:
    """(number of the candidate, V's prompt) for every candidate and event, history by history."""
    words = ValidatorTemplate(template_of(settings.prompt, settings.histories), settings.feedback.validator_reads)
    for i, body in enumerate(bodies):
        for number, reccot in enumerate(written[i]):
            for item in ITEMS[:events]:
                yield number, prompt_of(words, body, reccot, f"{item} (Drama)")


if __name__ == "__main__":
    raise SystemExit(main())
