"""The feedback loop on MovieLens-100k: whether V judges, whether G was aligned to it, and what that was worth.

python -m bench.loop           # the sizes of conf/loop.yaml: what `make loop` runs, on 2 cores
python -m bench.loop --full    # all histories, ten candidates, three rounds; for a GPU

Goes on where it was stopped, as the job does. Prints the report of the rounds; its last line is one JSON object, see
``report/loop_figures.py``, and ``sides``: the share of attributes that the last G's served texts name on the side on
which the prompt has them (bench/counts.py).
"""

from __future__ import annotations

import argparse
import json
import sys

from bench.counts import figures_by_writer
from jobs import alternate
from trackrec.feedback.loop_state import LoopState, newest_loop
from trackrec.report.__main__ import main as report
from trackrec.report.loop_figures import loop_figures
from trackrec.runtime.settings import Settings
from trackrec.runtime.settings_files import load_settings

CONF = "conf/loop.yaml"
FULL = (
    "warehouse=warehouse/loop-full", "models=models/loop-full", "histories.every_n=10",
    "generator.dtype=bfloat16", "generator.deterministic=false",
    "generator.max_num_seqs=256", "generator.high_water=512", "generator.chunk_rows=8192",
    "feedback.candidates=10", "feedback.next_events=8", "tune.max_examples=20000", "tune.candidates=1",
    "validator.engine=vllm", "tune.next_events=20", "tune.batch_size=8",
    "align.batch_size=8", "align.checkpoint_steps=50",
    "loop.rounds=3", "loop.holdout_samples=4000", "loop.histories=3000", "loop.aligned_histories=1500",
)  # fmt: skip


def main() -> int:
    """Run the loop, print its report and the JSON line; returns the job's exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--full", action="store_true", help="sizes for a GPU in place of those of conf/loop.yaml")
    parser.add_argument("--set", action="append", default=[], metavar="key=value", help="as for the job")
    args = parser.parse_args()
    sets = [*(FULL if args.full else ()), *args.set]
    flags = ["--conf", CONF, *(part for text in sets for part in ("--set", text))]
    code = alternate.main(flags) or report(["rounds", *flags])
    if code:
        return code
    settings = load_settings(CONF, sets)
    loop = newest_loop(settings)
    assert loop is not None  # the report has printed it
    print(json.dumps({"bench": "loop", **loop_figures(loop), "sides": _sides(settings, loop), "settings": sets}))
    return 0


def _sides(settings: Settings, loop: LoopState) -> float | None:
    """Of the attributes that the last G names as liked or avoided, the share that is on its side by the prompt."""
    newest = list(loop.of_kind("greedy").values())[-1].labels
    figures = figures_by_writer(settings)[newest["generator_version"], newest["sampling"]]
    sides: float | None = figures["sides"]
    return sides


if __name__ == "__main__":
    sys.exit(main())
