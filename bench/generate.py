"""G inside the UDF against vLLM alone, and the pump against one engine call an Arrow batch, in one run.

python -m bench.generate                                    # SmolLM2-135M on 2 cores, about 7 minutes
python -m bench.generate --prompts 4096 --max-num-seqs 256  # one GPU

udf_vs_raw: tokens/s of ``mapInPandas(generate_udf)`` from Parquet to Parquet, the Spark job's overhead included, over
those of ``vllm.LLM.generate`` on the same prompts given all at once, its core in process too. pump_vs_batch: the same
UDF body over Arrow batches of 64 rows, with output lengths as heavy-tailed as those of reasoning, over submitting one
batch and waiting for all of it; there the prompts are cut to their first line, which the prefix cache holds, so that
decoding dominates as on a GPU: ``--full-prompts`` leaves them whole, and then this CPU reads prompts most of the time.
Each side has a process and an engine of its own; they take turns round by round, no prompt comes twice (prefix cache).
Round 0 warms up and is not counted. A figure is the median over rounds.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import random
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import pandas as pd

from bench.logs import write_log
from bench.pandas_histories import with_loops
from trackrec.engines.interface import Finished, Request
from trackrec.engines.spec import EngineSpec
from trackrec.histories.templates import template_of
from trackrec.models.resolve import resolve
from trackrec.runtime.settings import Settings
from trackrec.runtime.settings_files import load_settings
from trackrec.tables.schemas import RECCOT_TEXTS

PAIRS = (("udf", "raw"), ("pump", "batch"))
_LONGEST = 256  # tokens
_BATCH = 64  # spark.sql.execution.arrow.maxRecordsPerBatch of conf/local


def main() -> int:
    """Run both comparisons and print the JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--prompts", type=int, default=64, help="prompts a round, udf and raw")
    parser.add_argument("--pump-prompts", type=int, default=256, help="prompts a round, pump and batch")
    parser.add_argument("--full-prompts", action="store_true", help="pump and batch read whole prompts too")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--max-num-seqs", type=int, default=64)
    parser.add_argument("--only", choices=[first for first, _ in PAIRS], help="one comparison alone")
    parser.add_argument("--child", nargs=2, metavar=("SIDE", "FOLDER"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        return _serve(args.child[0], Path(args.child[1]), args.max_num_seqs)
    line: dict[str, Any] = {"bench": "generate"}
    with tempfile.TemporaryDirectory(prefix="bench-generate-") as scratch:
        folder = Path(scratch)
        _write_rounds(folder, args)
        pairs = [pair for pair in PAIRS if args.only in (None, pair[0])]
        rounds_of = {first: _duel(folder, first, second, args) for first, second in pairs}
    for (first, second), rounds in zip(pairs, rounds_of.values(), strict=True):
        ratios = [row[first]["rate"] / row[second]["rate"] for row in rounds]
        line[f"{first}_vs_{second}"] = round(statistics.median(ratios), 3)
    if "udf" in rounds_of:
        line["engine_starts"] = len({engine for row in rounds_of["udf"] for engine in row["udf"]["engines"]})
    line |= {"settings": {k: v for k, v in vars(args).items() if k != "child"}, "rounds": rounds_of}
    print(json.dumps(line))
    return 0


def _write_rounds(folder: Path, args: argparse.Namespace) -> None:
    """``<side>-<round>.parquet`` for either pair, its requests cut out of the histories of a generated log."""
    sizes = {side: size for pair, size in zip(PAIRS, (args.prompts, args.pump_prompts), strict=True) for side in pair}
    settings = load_settings("conf/local.yaml", ["histories.every_n=10"])
    needed = (args.rounds + 1) * max(sizes.values())
    log = write_log(folder / "log", 40 * needed)
    bodies = with_loops(log, settings.histories, template_of(settings.prompt, settings.histories))
    frame = _requests(bodies.drop_duplicates("prompt_body").sample(needed, random_state=7, ignore_index=True))
    for side, size in sizes.items():
        requests = frame
        if side in ("pump", "batch") and not args.full_prompts:
            # The number comes last, so that the rest is in the prefix cache.
            short = frame["prompt_body"].map(_first_line) + " This is user " + frame["prompt_key"] + "."
            requests = frame.assign(prompt_body=short)
        for number in range(args.rounds + 1):
            rows = requests[number * size : (number + 1) * size]
            rows.to_parquet(folder / f"{side}-{number}.parquet", coerce_timestamps="us")


def _first_line(body: str) -> str:
    return body.partition("\n")[0]


def _requests(bodies: pd.DataFrame) -> pd.DataFrame:
    """Requests as the generate stage makes them."""
    return pd.DataFrame(
        {
            "user_id": bodies["user_id"],
            "prompt_key": [f"p{i}" for i in range(len(bodies))],
            "prompt_body": bodies["prompt_body"],
            "seed": range(len(bodies)),
            "row_keys": [[f"r{i}"] for i in range(len(bodies))],
            "as_of": bodies["as_of"],
            "source_max_time": bodies["as_of"],
        }
    )


def _duel(folder: Path, first: str, second: str, args: argparse.Namespace) -> list[dict[str, Any]]:
    """Both sides' figures, round by round after round 0; who goes first changes each round."""
    command = [sys.executable, "-m", "bench.generate", "--max-num-seqs", str(args.max_num_seqs), "--child"]
    with open(folder / "log.txt", "ab") as log:
        sides = {
            side: subprocess.Popen(
                [*command, side, str(folder)], text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log
            )
            for side in (first, second)
        }
        rounds = []
        for number in range(args.rounds + 1):
            order = (first, second) if number % 2 else (second, first)
            rounds.append({side: _play(sides[side], number, folder) for side in order})
            rates = ", ".join(f"{side} {row['rate']} tokens/s ({row['s']} s)" for side, row in rounds[-1].items())
            print(f"round {number}{' (warm-up)' if not number else ''}: {rates}", flush=True)
        for side in sides.values():
            side.communicate(timeout=60)
    return rounds[1:]


def _play(side: subprocess.Popen[str], number: int, folder: Path) -> dict[str, Any]:
    assert side.stdin
    assert side.stdout
    side.stdin.write(f"{number}\n")
    side.stdin.flush()
    line = side.stdout.readline()
    if not line:
        raise SystemExit(f"a side of the bench ended:\n{(folder / 'log.txt').read_text()[-2000:]}")
    row: dict[str, Any] = json.loads(line)
    return row | {"s": round(row["s"], 2), "rate": round(row["tokens"] / row["s"], 1)}


def _serve(side: str, folder: Path, max_num_seqs: int) -> int:
    """A child: for each round number on stdin one JSON line on stdout, {s, tokens, …}."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever a library prints goes to the log
    settings = load_settings("conf/local.yaml", [f"log={folder}/spark.log"])
    model = resolve(settings.generator.model, settings.cache_dir())
    template = template_of(settings.prompt, settings.histories)
    spec = EngineSpec.for_generator(settings.generator, model, template.opening)
    spec = replace(spec, engine="vllm", max_num_seqs=max_num_seqs, high_water=2 * max_num_seqs)
    play = {"udf": _udf, "raw": _raw, "pump": _pump, "batch": _batch}[side](spec, settings, folder)
    for number in sys.stdin:
        answers.write(json.dumps(play(int(number))) + "\n")
        answers.flush()
    return 0


Play = Callable[[int], dict[str, Any]]  # round -> {s: seconds, tokens: written by the model}


def _udf(spec: EngineSpec, settings: Settings, folder: Path) -> Play:
    from pyspark.sql import functions as F

    from trackrec.reccots.requests import balanced
    from trackrec.reccots.sentences import served_text
    from trackrec.runtime.session import spark_session
    from udfs.generate import generate_udf

    spark = spark_session(settings, "bench generate")
    busy = threading.Lock()
    threading.Thread(target=_keep_worker, args=(spark, busy), daemon=True).start()

    def play(number: int) -> dict[str, Any]:
        out = f"{folder}/out-{number}"
        with busy:
            began = time.perf_counter()
            requests = balanced(spark.read.parquet(f"{folder}/udf-{number}.parquet"), 1)
            udf = generate_udf(spec, spec.model.version, RECCOT_TEXTS, served_text)
            requests.mapInPandas(udf, RECCOT_TEXTS.written.spark_schema()).write.parquet(out)
            seconds = time.perf_counter() - began
        row = spark.read.parquet(out).agg(F.sum("output_tokens"), F.collect_set("engine_id")).collect()[0]
        return {"s": seconds, "tokens": row[0], "engines": row[1]}

    return play


def _keep_worker(spark: Any, busy: threading.Lock) -> None:
    """One task every 20 s while the other side plays: Spark ends a worker, and its engine, after 60 idle seconds."""
    while True:
        time.sleep(20)
        with busy:
            spark.range(0, 1, 1, 1).mapInPandas(lambda frames: frames, "id long").collect()


def _raw(spec: EngineSpec, settings: Settings, folder: Path) -> Play:
    """vLLM's own offline interface with the same engine arguments and threads, its core in this process too."""
    from trackrec.engines.chat import Chat
    from trackrec.engines.vllm import engine_arguments, sampling_params, use_environment
    from trackrec.models.threads import use_threads

    use_threads(spec.threads)
    use_environment(spec)
    from vllm import LLM

    llm, chat = LLM(**engine_arguments(spec)), Chat(spec)

    def play(number: int) -> dict[str, Any]:
        bodies = pd.read_parquet(folder / f"raw-{number}.parquet")["prompt_body"]
        prompts = [chat.text(Request("", body, spec.opening, 0)) for body in bodies]
        began = time.perf_counter()
        written = llm.generate(prompts, sampling_params(spec, 0), use_tqdm=False)
        seconds = time.perf_counter() - began
        return {"s": seconds, "tokens": sum(len(answer.outputs[0].token_ids) for answer in written)}

    return play


def _pump(spec: EngineSpec, settings: Settings, folder: Path) -> Play:
    return _in_batches(spec, folder, lambda frames, write: write(frames))


def _batch(spec: EngineSpec, settings: Settings, folder: Path) -> Play:
    return _in_batches(spec, folder, lambda frames, write: (out for frame in frames for out in write(iter([frame]))))


def _in_batches(spec: EngineSpec, folder: Path, feed: Callable[..., Iterator[pd.DataFrame]]) -> Play:
    """The body of the UDF in this process over Arrow batches, fed by ``feed(frames, write)``."""
    from trackrec.models.threads import use_threads
    from trackrec.reccots.sentences import served_text
    from udfs.generate import generated_frames
    from udfs.worker import WorkerEngine

    use_threads(spec.threads)
    spec = replace(spec, sampling=spec.sampling.model_copy(update={"max_tokens": _LONGEST}))
    engine = _mixed_lengths(spec)
    worker_engine = WorkerEngine(engine, "bench")

    def write(frames: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        return generated_frames(frames, worker_engine, spec, spec.model.version, RECCOT_TEXTS, served_text)

    def play(number: int) -> dict[str, Any]:
        frame = pd.read_parquet(folder / f"pump-{number}.parquet")
        frames = (frame[i : i + _BATCH] for i in range(0, len(frame), _BATCH))
        engine.steps.clear()
        began = time.perf_counter()
        tokens = sum(int(out["output_tokens"].sum()) for out in feed(frames, write))
        return {"s": time.perf_counter() - began, "tokens": tokens} | _profile(engine.steps, spec.max_num_seqs)

    return play


def _profile(steps: list[tuple[int, float]], full: int) -> dict[str, float]:
    """Of all steps: how many, what one costs with all seats taken and with an eighth of them or fewer, in ms."""
    crowded, thin = [s for n, s in steps if n >= full], [s for n, s in steps if n <= full // 8]
    medians = {"full_step_ms": crowded, "thin_step_ms": thin}
    shown = {name: round(1000 * statistics.median(taken), 1) for name, taken in medians.items() if taken}
    return shown | {"steps": len(steps), "thin_s": round(sum(thin), 1)}


def _mixed_lengths(spec: EngineSpec) -> Any:
    """vLLM writing, for each request, exactly the number of tokens that its key decides."""
    from trackrec.engines.vllm import VllmEngine

    class MixedLengths(VllmEngine):
        steps: ClassVar[list[tuple[int, float]]] = []  # requests unfinished, seconds

        def step(self) -> list[Finished]:
            unfinished, began = self.unfinished, time.perf_counter()
            done = super().step()
            self.steps.append((unfinished, time.perf_counter() - began))
            return done

        def parameters(self, request: Request) -> Any:
            parameters = super().parameters(request)
            parameters.max_tokens = _length(request.key)
            parameters.ignore_eos = True
            parameters.stop = []
            return parameters

    return MixedLengths(spec)


def _length(key: str) -> int:
    """Log-normal, as lengths of reasoning are: median 32, mean about 50, one in fifty over 250 and cut there."""
    draw = random.Random(key).lognormvariate(math.log(32), 1.0)
    return max(4, min(int(draw), _LONGEST))


if __name__ == "__main__":
    sys.exit(main())
