"""Nights that are killed at random moments, against the same nights undisturbed: lost, doubled, paid for twice, left.

python -m bench.chaos                                     # 50 kills, and 3 with vLLM
python -m bench.chaos --kills 5 --vllm-kills 0 --seed 2   # a few minutes
python -m bench.chaos --poison                            # in place of kills 1,000 poison rows of 5,000

SIGKILL goes to the driver, a Python worker, the JVM and the workers' daemon in turn, half of the time at any moment of
a night, half while requests are with the engine. After each the night is run again to its end, where it may be killed
again; the last night is left alone. respent_tokens: output tokens of requests that an engine was handed more than once,
each further time, as if all had been written each time; in_flight_tokens: of those that at a kill were with an engine,
or in the chunk that was not committed. Exit code 1 where anything is lost, doubled, of another text or left behind, or
more was asked again than had been in flight.
"""

from __future__ import annotations

import argparse
import json
import random
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.killer import Figures, Killer
from bench.nights import Nights, night_of, write_log, write_settings
from bench.poison import poisoned
from bench.tally import difference, leftovers
from bench.undisturbed import Undisturbed

USERS = 48
SCRIPTED = {"engine": "scripted", "chunk_rows": 16, "high_water": 8, "max_num_seqs": 4}
_VLLM_USERS = 8
_VLLM = {
    "engine": "vllm", "chunk_rows": 4, "high_water": 4, "max_num_seqs": 4, "kv_cache_gb": 1,
    "sampling": {"max_tokens": 24, "frequency_penalty": 0.4},
}  # fmt: skip
# A beat is a commit: no more than one in 10 s. Another machine's lease is taken over after three.
LEASE = {"heartbeat_seconds": 10, "stale_seconds": 30}
_ANY_TEXT = {"min_coverage": 0, "max_duplicate_share": 1}  # 24 tokens may hold no whole sentence
_ZERO = ("lost", "doubled", "orphans", "leftovers", "changed", "extra")
_TOKENS = ("respent_tokens", "in_flight_tokens")
_RUNS = ("nights", "runs", "failed_runs", "refused_runs")
_SECONDS = ("gone_s", "takeover_s", "stale_takeover_s")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the nights and print the JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--vllm-kills", type=int, default=3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--poison", action="store_true", help="poison rows, no kills")
    parser.add_argument("--poison-rows", type=int, default=5000, help="rows of that night, a multiple of 250")
    args = parser.parse_args(argv)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what was started is ended
    with tempfile.TemporaryDirectory(prefix="chaos-") as scratch:
        line = poisoned(Path(scratch), args.poison_rows) if args.poison else _killed(Path(scratch), args)
    print(json.dumps(line), flush=True)
    return int(not line["passed"])


def _killed(scratch: Path, args: argparse.Namespace) -> dict[str, Any]:
    began, dice, figures = time.monotonic(), random.Random(args.seed), []
    if args.kills:
        figures.append(killed_nights(scratch / "scripted", dice, args.kills, USERS, SCRIPTED))
    if args.vllm_kills:
        quality = {"quality": _ANY_TEXT}
        figures.append(
            killed_nights(scratch / "vllm", dice, args.vllm_kills, _VLLM_USERS, _VLLM, in_requests=1, **quality)
        )
    settings = {name: getattr(args, name) for name in ("kills", "vllm_kills", "seed")}
    return summary(figures) | {"minutes": round((time.monotonic() - began) / 60, 1), "settings": settings}


def killed_nights(
    folder: Path,
    dice: random.Random,
    kills: int,
    users: int,
    generator: Mapping[str, Any],
    *,
    in_requests: float = 0.5,
    **changes: object,
) -> Figures:
    """As many nights as ``kills`` take, and one that is left alone, in ``folder``, against undisturbed ones."""
    confs = {name: folder / name for name in ("killed", "undisturbed")}
    for place in confs.values():
        place.mkdir(parents=True)
        write_settings(place, folder, generator, lease=LEASE, **changes)
    write_log(folder, users, nights=kills + 2)
    nights, undisturbed = Nights(confs["killed"]), Undisturbed(confs["undisturbed"])
    try:
        pace = undisturbed.first()
        print(f"an undisturbed night: {pace:.0f} s, its lease after {undisturbed.lease_seconds:.0f} s", flush=True)
        killer = Killer(nights, dice, users=users, kills=kills, pace=pace, in_requests=in_requests)
        number = 0
        while True:
            is_last = killer.is_done
            killer.night(number)
            if number:
                undisturbed.night(number)
            compare(killer.figures, nights.folder, undisturbed.folder, number)
            if is_last:
                break
            number += 1
    finally:
        nights.end()
        undisturbed.close()
    killer.close()
    left = leftovers(nights.folder)
    killer.figures.leftovers = sum(left.values())
    print(f"left: {', '.join(f'{count} {what}' for what, count in left.items())}", flush=True)
    return killer.figures


def compare(figures: Figures, folder: Path, undisturbed: Path, number: int) -> None:
    """Add what a night lacks or has too much of, and print it."""
    found = difference(folder, undisturbed, night_of(number))
    figures.lost += found.lost
    figures.doubled += found.doubled
    figures.changed += found.changed
    figures.extra += found.extra
    print(
        f"night {number}: {found.rows} rows, {found.lost} lost, {found.doubled} doubled, "
        f"{found.changed} changed, {found.extra} that the undisturbed one has not",
        flush=True,
    )


def summary(figures: Sequence[Figures]) -> dict[str, Any]:
    """The JSON line of one or more warehouses."""
    kills = [kill for of_one in figures for kill in of_one.kills]
    sums = {name: sum(getattr(of_one, name) for of_one in figures) for name in (*_ZERO, *_TOKENS, *_RUNS)}
    line: dict[str, Any] = {"bench": "chaos", "kills": len(kills), **sums}
    line["passed"] = not any(sums[name] for name in _ZERO) and sums["respent_tokens"] <= sums["in_flight_tokens"]
    line["kills_in_requests"] = sum(kill.in_flight > 0 for kill in kills)
    line["victims"] = {kill.victim: sum(other.victim == kill.victim for other in kills) for kill in kills}
    for name in _SECONDS:
        values = [seconds for of_one in figures for seconds in getattr(of_one, name)]
        if values:
            shown = {"median": statistics.median(values), "most": max(values)}
            line[name] = {"cases": len(values), **{word: round(seconds, 1) for word, seconds in shown.items()}}
    return line


if __name__ == "__main__":
    sys.exit(main())
