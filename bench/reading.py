"""Does V read the RecCoT, and what makes it read? V tuned in several ways, each remedy alone and all together.

python -m bench.reading                                    # SmolLM2-135M on 2 cores, MovieLens-100k: 45 minutes
python -m bench.reading --only "as it was" "all together"  # these ways; what is finished is taken as it is
python -m bench.reading --model real                       # the model of conf/real.yaml, not tuned: 20 to 40 minutes
python -m bench.reading --users few --examples 60 --more-examples 120 --holdout 100       # whether it runs, minutes

RecCoTs are those of the statistics teacher: what V does not gain from them it will gain from no G that learned them.
Each way is trained from the same base on earlier events of the alignment window and measured on the same later ones, of
users that no way is tuned on: shown the RecCoT, and the one of another user. The offset of a way is fitted on its own
training rows, as V's is. Last in the table stands a V without an LLM, a reader that counts (docs/decisions/0014),
fitted on as many events as the way with most: the one to beat. A way that is finished is kept in warehouse/reading, one
that was stopped goes on. Last line one JSON object.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench.reading_figures import OWN, SHUFFLED, HoldOut, compared, table
from bench.reading_offset import counted, fitted, floors, reading_offset
from bench.reading_rows import Rows, read_rows
from bench.reading_ways import WAYS, measured
from trackrec.feedback.offset import Offset
from trackrec.models.threads import use_threads
from trackrec.runtime.errors import BadInputError
from trackrec.runtime.settings import RecTuningSettings, Settings
from trackrec.runtime.settings_files import load_settings

_CONF = "conf/loop.yaml"
_EVERY = 20  # events between two snapshots: of most only one history is read for a held user's events
_FEW_USERS = 300  # of 943
_COUNTING = "a reader that counts"
Floors = Mapping[str, Sequence[float]]  # name → log-odds of each held row


def main() -> int:
    """Tune and measure V in each way, or ask the real model, and print the table and the JSON line."""
    args = _arguments()
    sets = _sets(args)
    settings = load_settings(_CONF, sets)
    folder = Path(settings.warehouse) / "ways"
    folder.mkdir(parents=True, exist_ok=True)
    most = max(args.examples, args.more_examples)
    rows = read_rows(settings, _CONF, sets, train=most, users=args.holdout // args.each, each=args.each)
    use_threads(args.threads)
    print(f"{len(rows.train)} training rows; {len(rows.held)} held out, of {len({r.user for r in rows.held})} users")
    offset = fitted(rows.train)
    floor = floors(rows.held, offset)
    held = HoldOut(rows.held)
    figures: dict[str, Any] = {"offset": asdict(offset)}
    figures["floors"] = {name: held.quality(scores) for name, scores in floor.items()}
    counting = counting_way(rows, most)
    if args.model == "real":
        figures |= _real(args, settings, rows, offset, floor, folder)
    else:
        figures["ways"] = _ways(args, settings, rows, folder)
    figures["ways"] |= counting
    print(table(figures["ways"]))
    print(json.dumps({"bench": "reading", "settings": vars(args), **figures}))
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--users", choices=("all", "few"), default="all", help=f"few: {_FEW_USERS}, by hash")
    parser.add_argument("--examples", type=int, default=800, help="distinct events that V is tuned on")
    parser.add_argument("--more-examples", type=int, default=3000, help="where more of them are the remedy")
    parser.add_argument("--events", type=int, default=12, help="next events of a RecCoT that V is tuned on")
    parser.add_argument("--holdout", type=int, default=1000, help="events")
    parser.add_argument("--each", type=int, default=10, help="events of each user of the hold-out")
    parser.add_argument("--holdout-share", type=float, default=0.35, help="of the alignment window")
    parser.add_argument("--learning-rate", type=float, default=RecTuningSettings().learning_rate)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--dtype", default="float32", help="of V's weights; in bfloat16 its logits step by .125")
    parser.add_argument("--only", nargs="+", choices=list(WAYS))
    parser.add_argument("--model", choices=("base", "real"), default="base", help="real: conf/real.yaml's, not tuned")
    parser.add_argument("--reads", choices=("reccot", "both"), default="reccot", help="what the real model is shown")
    parser.add_argument("--tune-real", type=int, default=0, help="events that the real model is tuned on, too: hours")
    parser.add_argument("--fitted", type=int, default=300, help="training rows for the real model's weight")
    return parser.parse_args()


def _sets(args: argparse.Namespace) -> list[str]:
    users = _FEW_USERS if args.users == "few" else "null"
    place = f"warehouse/reading/{args.users}"
    return [
        f"warehouse={place}", f"log={place}.log", f"histories.max_users={users}", f"histories.every_n={_EVERY}",
        "histories.windows=[alignment]", f"tune.next_events={args.events}", f"tune.learning_rate={args.learning_rate}",
        f"feedback.holdout_share={args.holdout_share}", "prompt.template=preference_v2",
        f"generator.dtype={args.dtype}", f"generator.threads={args.threads}", "tune.bfloat16_products=true",
    ]  # fmt: skip


def _ways(args: argparse.Namespace, settings: Settings, rows: Rows, folder: Path) -> dict[str, Any]:
    figures = {}
    for name in args.only or WAYS:
        count = args.more_examples if WAYS[name].more else args.examples
        figures[name] = tuned_way(name, settings, rows, count, folder)
        print(table({name: figures[name]}), flush=True)
    return figures


def counting_way(rows: Rows, count: int) -> dict[str, Any]:
    """A V without an LLM, its few weights fitted on the first ``count`` training rows; none where they cannot be."""
    offset = fitted(rows.train[:count])
    try:
        log_odds = counted(rows.held, reading_offset(rows.train[:count], offset))
    except BadInputError as error:
        print(f"{_COUNTING} is left out: {error}", flush=True)
        return {}
    return {_COUNTING: {"events": count} | _figures(log_odds, rows, floors(rows.held, offset))}


def _real(
    args: argparse.Namespace, settings: Settings, rows: Rows, offset: Offset, floor: Floors, folder: Path
) -> dict[str, Any]:
    from bench.reading_real import ask_real

    real = load_settings("conf/real.yaml", [f"generator.threads={args.threads}"])
    found = ask_real(rows, offset, settings, real, args.reads, args.fitted, folder)
    ways = {how: compared(rows.held, found[how], floor) for how in ("alone", "stacked")}
    if args.tune_real:
        ways["tuned"] = _tuned(args, real, rows, folder)
    return {"ways": ways, "weight": found["weight"], "bias": found["bias"]}


def _tuned(args: argparse.Namespace, real: Settings, rows: Rows, folder: Path) -> dict[str, Any]:
    """The real model tuned with all remedies."""
    source = real.generator.model.source
    sets = [*_sets(args), f"generator.model.source={source}", f"validator.model.source={source}"]
    name = "all together" if args.reads == "reccot" else "all together, and the history"
    return tuned_way(name, load_settings(_CONF, sets), rows, args.tune_real, folder)


def tuned_way(name: str, settings: Settings, rows: Rows, count: int, folder: Path) -> dict[str, Any]:
    """A way on the first ``count`` training rows, on which its offset is fitted and with it the floor it must beat."""
    offset = fitted(rows.train[:count])
    return _figures(measured(name, settings, rows, offset, count, folder), rows, floors(rows.held, offset))


def _figures(found: Mapping[str, Any], rows: Rows, floor: Floors) -> dict[str, Any]:
    """What the log-odds in ``found`` come to, and what else is in it, e.g. its seconds."""
    log_odds = {variant: found[variant] for variant in (OWN, SHUFFLED)}
    costs = {name: value for name, value in found.items() if name not in log_odds}
    return costs | compared(rows.held, log_odds, floor)


if __name__ == "__main__":
    raise SystemExit(main())
