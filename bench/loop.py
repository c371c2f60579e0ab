"""The feedback loop at full size: all users of MovieLens-100k, ten candidates, three rounds. For a GPU.

python -m bench.loop            # a GPU with vLLM's CUDA build or only transformers; not run yet: none was at hand
python -m bench.loop --small    # the sizes of conf/loop.yaml: what `make loop` runs, 40 minutes on 2 cores

Goes on where it was stopped, as the job does. Prints the report of the rounds, then one JSON object with every round's
figures on the hold-out.
"""

from __future__ import annotations

import argparse
import json
import sys

from jobs import alternate
from trackrec.feedback.loop_state import newest_loop
from trackrec.report.__main__ import main as report
from trackrec.runtime.settings_files import load_settings

CONF = "conf/loop.yaml"
FULL = (
    "warehouse=warehouse/loop-full", "models=models/loop-full", "histories.max_users=null", "histories.every_n=10",
    "generator.engine=transformers", "generator.dtype=bfloat16", "generator.deterministic=false",
    "generator.max_num_seqs=256", "generator.high_water=512", "generator.chunk_rows=8192",
    "feedback.candidates=10", "feedback.next_events=8", "distill.share=0.05", "distill.max_examples=null",
    "distill.batch_size=16", "tune.max_examples=20000", "tune.next_events=8", "tune.batch_size=2",
    "loop.rounds=3", "loop.holdout_samples=4000",
)  # fmt: skip


def main() -> int:
    """Run the loop, print its report and the JSON line; returns the job's exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--small", action="store_true", help="the sizes of conf/loop.yaml")
    sets = () if parser.parse_args().small else FULL
    flags = ["--conf", CONF, *(part for text in sets for part in ("--set", text))]
    code = alternate.main(flags) or report(["rounds", *flags])
    if code:
        return code
    loop = newest_loop(load_settings(CONF, list(sets)))
    assert loop is not None  # the report has printed it
    rounds = {
        f"{kind} {number}": {"counts": step.counts, "figures": step.figures, "tables": step.tables}
        for kind in ("validate", "align", "measure")
        for number, step in loop.of_kind(kind).items()
    }
    minutes = {str(step): round(outcome.seconds / 60, 1) for step, outcome in loop.outcomes.items()}
    print(json.dumps({"bench": "loop", "settings": list(sets), "rounds": rounds, "minutes": minutes}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
