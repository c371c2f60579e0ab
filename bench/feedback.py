"""Candidates and their judgements per second, against the way they were published, remedy by remedy.

python -m bench.feedback                                      # SmolLM2-135M on 2 cores, about 10 minutes
python -m bench.feedback --histories 512 --max-num-seqs 256   # one GPU

Published: N passes over all histories, each a request of its own with one sample; V reads history, RecCoT and item and
writes up to 10 tokens with the 20 largest log-probabilities of each, in which Yes and No are then looked for; vLLM with
the cache's blocks of its own choice. Ours: the N candidates of a history are one request (n = N), and V says P(Yes) by
one prefill. What else is measured: blocks of ``kv_block``; V's engine ``packed``; the RecCoT in place of the history,
which is another prompt: ``ratio_equal_prompts`` is what is left of ``ratio`` with the history in ours as in theirs.
``ratio_counting`` is with a V that asks no LLM (docs/decisions/0014), as conf/loop.yaml has it: another judge, which
reads each candidate once for all events, without Spark.

Every round has histories of its own, and every way judges the same texts (``deterministic``: they do not depend on how
they are asked for). Within a round all ways take turns, in an order that moves on with each round; before each turn the
prefix cache is emptied, and within it all have it. Round 0 warms up, with one history, and is not counted. A ratio is
seconds published ÷ seconds of the way, the median over rounds.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bench.asking import answered, prompt_of
from bench.logs import GENRES, write_log
from bench.pandas_histories import with_loops
from trackrec.engines.build import build_engine
from trackrec.engines.interface import Finished, Request
from trackrec.engines.queue import QueuedRequest
from trackrec.engines.spec import EngineSpec
from trackrec.engines.vllm import Prompt, VllmEngine, VllmScorer, use_environment
from trackrec.feedback.templates import ValidatorTemplate
from trackrec.feedback.validator import validator_settings
from trackrec.histories.templates import template_of
from trackrec.models.resolve import resolve
from trackrec.models.threads import use_threads
from trackrec.reccots.mentions import AttributeNames
from trackrec.runtime.settings import SamplingSettings, Settings
from trackrec.runtime.settings_files import load_settings

ITEMS = ["Heat", "The Piano", "Alien", "Babe", "Speed", "Fargo", "Casablanca", "Psycho", "Gandhi", "Clueless"]
VLLMS_BLOCK = 128  # vLLM's own choice on a CPU; on a GPU it is the same as ours
PUBLISHED = "published"
IN_PLACE = "RecCoT in place of the history"
COUNTING = "a V that counts"
# Ways to judge: V's engine (of ``Bench.judges``), and whether it reads the history.
JUDGING = {
    PUBLISHED: ("vllm", True),
    "one prefill": ("vllm", True),
    "blocks": ("blocks", True),
    "packed": ("packed", True),
    f"{IN_PLACE}, blocks": ("blocks", False),
    f"{IN_PLACE}, packed": ("packed", False),
}
SAME_PROMPTS = (("packed", "blocks"), (f"{IN_PLACE}, packed", f"{IN_PLACE}, blocks"))
WRITING = {PUBLISHED: "vllm", "one request": "vllm", "blocks": "blocks"}
# The remedies, one after the other: which way to write, and which to judge.
REMEDIES = {
    "one request, one prefill": ("one request", "one prefill"),
    "and blocks": ("blocks", "blocks"),
    "and packed": ("blocks", "packed"),
    f"{IN_PLACE}, blocks": ("blocks", f"{IN_PLACE}, blocks"),
    f"{IN_PLACE}, packed": ("blocks", f"{IN_PLACE}, packed"),
    COUNTING: ("blocks", COUNTING),
}


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


@dataclass
class Bench:
    """The engines by name, and how the prompts are made."""

    writers: dict[str, Writer]
    judges: dict[str, Any]
    words: ValidatorTemplate
    candidates: int
    events: int

    def write(self, way: str, bodies: Sequence[str]) -> tuple[float, list[list[str]]]:
        """Seconds for all candidates, and the texts of each history."""
        writer = self.writers[WRITING[way]]
        writer._engine.reset_prefix_cache()
        passes = self.candidates if way == PUBLISHED else 1
        writer.samples = self.candidates // passes
        texts: list[list[str]] = [[] for _ in bodies]
        began = time.perf_counter()
        for number in range(passes):
            requests = [Request(str(i), b, self.words.facts.opening, 1000 * i + number) for i, b in enumerate(bodies)]
            for finished in answered(writer, requests):
                texts[int(finished.key)] += [sample.text for sample in finished.completions]
        return time.perf_counter() - began, texts

    def judge(self, way: str, bodies: Sequence[str], texts: Sequence[Sequence[str]]) -> tuple[float, list[Finished]]:
        """Seconds for all judgements, and these: history by history, but published candidate by candidate."""
        engine, history = JUDGING[way]
        judge = self.judges[engine]
        if engine != "packed":
            judge._engine.reset_prefix_cache()
            judge.published = way == PUBLISHED
        asked = [(number, i, item) for i, _ in enumerate(bodies) for number in range(self.candidates)
                 for item in ITEMS[: self.events]]  # fmt: skip
        if way == PUBLISHED:
            asked.sort(key=lambda one: one[0])
        requests = [
            Request(f"{i} {number} {item}", self._prompt(bodies[i], texts[i][number], item, history=history), "", 0)
            for number, i, item in asked
        ]
        began = time.perf_counter()
        found = answered(judge, requests)
        return time.perf_counter() - began, found

    def count(self, texts: Sequence[Sequence[str]]) -> float:
        """Seconds in which a V that counts reads every candidate."""
        names = AttributeNames(GENRES)
        began = time.perf_counter()
        for text in (text for of_history in texts for text in of_history):
            mentions = names.mentions(text)
            for _ in range(self.events):
                mentions.of_item(GENRES[:2])
        return time.perf_counter() - began

    def _prompt(self, body: str, reccot: str, item: str, *, history: bool) -> str:
        words = replace(self.words, reads="both" if history else "reccot")
        return prompt_of(words, body, reccot, f"{item} (Drama)")


def main() -> int:
    """Play the rounds and print the JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--histories", type=int, default=3, help="a round")
    parser.add_argument("--candidates", type=int, default=10)
    parser.add_argument("--events", type=int, default=8, help="next events that each candidate is judged on")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--max-num-seqs", type=int, default=64)
    parser.add_argument("--kv-block", type=int, default=32)
    parser.add_argument("--packed-tokens", type=int, default=4096)
    args = parser.parse_args()
    settings = load_settings("conf/loop.yaml", ["histories.every_n=10", "validator.engine=vllm"])
    use_threads(settings.generator.threads)
    bench = _bench(settings, args)
    bodies = _bodies(settings, 1 + args.histories * args.rounds)
    _round(bench, bodies[:1], 0)
    rounds = [
        _round(bench, bodies[1 + n * args.histories : 1 + (n + 1) * args.histories], n + 1) for n in range(args.rounds)
    ]
    print(json.dumps(_line(rounds) | {"settings": vars(args), "rounds": rounds}))
    return 0


def _round(bench: Bench, bodies: Sequence[str], number: int) -> dict[str, Any]:
    """Seconds of every way to write and to judge, what V read, and how far the ways' log-odds are apart."""
    seconds: dict[str, Any] = {"writing": {}, "judging": {}, "prompt_tokens": {}, "missed": 0}
    texts: list[list[str]] = []
    for way in _turned(WRITING, number):
        seconds["writing"][way], texts = _rounded(bench.write(way, bodies))
    log_odds: dict[str, dict[str, float]] = {}
    for way in _turned(JUDGING, number):
        seconds["judging"][way], found = _rounded(bench.judge(way, bodies, texts))
        log_odds[way] = {one.key: one.scores[0] - one.scores[1] for one in found if one.scores}
        seconds["missed"] += len(found) - len(log_odds[way])
        seconds["prompt_tokens"][way] = round(statistics.mean(one.prompt_tokens for one in found), 1)
    seconds["judging"][COUNTING] = round(bench.count(texts), 4)
    for way, other in SAME_PROMPTS:
        apart = max(abs(log_odds[way][key] - odds) for key, odds in log_odds[other].items())
        seconds[f"log-odds apart, {way}"] = round(apart, 6)
    print(f"round {number}{' (warm-up)' if not number else ''}: {json.dumps(seconds)}", flush=True)
    return seconds


def _turned(ways: dict[str, Any], number: int) -> list[str]:
    names = list(ways)
    return names[number % len(names) :] + names[: number % len(names)]


def _rounded(timed: tuple[float, Any]) -> tuple[float, Any]:
    return round(timed[0], 2), timed[1]


def _line(rounds: Sequence[dict[str, Any]]) -> dict[str, Any]:
    def seconds(part: str, way: str) -> list[float]:
        return [row[part][way] for row in rounds]

    def both(writing: str, judging: str) -> list[float]:
        return [w + j for w, j in zip(seconds("writing", writing), seconds("judging", judging), strict=True)]

    published = both(PUBLISHED, PUBLISHED)
    remedies = {name: _ratio(published, both(*ways)) for name, ways in REMEDIES.items()}
    parts = {
        f"{part}_ratios": {
            way: _ratio(seconds(part, PUBLISHED), seconds(part, way)) for way in ways if way != PUBLISHED
        }
        for part, ways in (("writing", list(WRITING)), ("judging", list(JUDGING)))
    }
    ours, equal = remedies[f"{IN_PLACE}, packed"], remedies["and packed"]
    line: dict[str, Any] = {"bench": "feedback", "ratio": ours, "ratio_equal_prompts": equal}
    line |= {"ratio_counting": remedies[COUNTING], "remedies": remedies}
    return line | parts


def _ratio(published: Sequence[float], ours: Sequence[float]) -> float:
    return round(statistics.median(p / o for p, o in zip(published, ours, strict=True)), 2)


def _bench(settings: Settings, args: argparse.Namespace) -> Bench:
    """G with the loop's sampling, V from the same base, each as the settings have it."""
    generator = settings.generator
    model = resolve(generator.model, settings.cache_dir())
    template = template_of(settings.prompt, settings.histories)
    sampling = SamplingSettings(temperature=1.0, max_tokens=generator.sampling.max_tokens, stop=generator.sampling.stop)
    shape: dict[str, Any] = {"max_num_seqs": args.max_num_seqs, "kv_cache_gb": 1}
    spec = replace(EngineSpec.for_generator(generator, model, template.opening), sampling=sampling, **shape)
    scoring = replace(EngineSpec.for_validator(validator_settings(settings), model), **shape)
    use_environment(spec)
    blocks = {"vllm": VLLMS_BLOCK, "blocks": args.kv_block}
    packed = replace(scoring, engine="packed", max_packed_tokens=args.packed_tokens)
    judges: dict[str, Any] = {name: Judge(replace(scoring, kv_block=block)) for name, block in blocks.items()}
    return Bench(
        writers={name: Writer(replace(spec, kv_block=block)) for name, block in blocks.items()},
        judges=judges | {"packed": build_engine(packed)},
        words=ValidatorTemplate(template),
        candidates=args.candidates,
        events=args.events,
    )


def _bodies(settings: Settings, count: int) -> list[str]:
    with tempfile.TemporaryDirectory(prefix="bench-feedback-") as scratch:
        log = write_log(Path(scratch) / "log", 40 * count)
        frame = with_loops(log, settings.histories, template_of(settings.prompt, settings.histories))
    bodies: list[str] = frame.drop_duplicates("prompt_body")["prompt_body"].sample(count, random_state=7).tolist()
    return bodies


if __name__ == "__main__":
    raise SystemExit(main())
