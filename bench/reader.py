"""What a reader that counts gains from true RecCoTs, and how many events it takes to see that.

python -m bench.reader                        # MovieLens-100k, histories of the newest 50, 100 and 200 events; minutes
python -m bench.reader --set source.decades=false    # decades are no attributes

RecCoTs are the statistics teacher's. The reader is no model (``trackrec.feedback.reader``): how many of an item's
attributes stand in liked and outlook clauses, and how many in avoided ones, has a weight each, fitted beside V's offset
on the events before the hold-out. A weight is the same for all attributes, so no user can be learned by heart, and all
later events of all users are the hold-out. ``seen_with``: events of it, ``--each`` of a user, with which the UAUC with
the own RecCoT minus with another user's has its 95 % interval above 0 four times out of five: with fewer, a gate on
that stays closed in front of a V that reads as well as this. Last line one JSON object.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from bench.reading_figures import OFFSET, OWN, SHUFFLED, HoldOut
from bench.reading_offset import counted, fitted, offsets_of, reading_offset
from bench.reading_rows import Row, balanced, halves
from trackrec.reccots.claims import NO_PREFERENCE
from trackrec.runtime.settings_files import load_settings
from trackrec.tables.keys import key_of_values

_CONF = "conf/loop.yaml"
_POWER = 1.96 + 0.84  # standard errors: an interval of 95 % above 0 in 80 % of the cases
_PAIRS = (f"{OWN} - {OFFSET}", f"{OWN} - {SHUFFLED}")


def main() -> int:
    """Build the histories of each length, fit the reader, print a line each and the JSON line."""
    args = _arguments()
    found = {}
    for last_n in args.last_n:
        sets = _sets(args, last_n)
        earlier, later = halves(load_settings(_CONF, sets), _CONF, sets)
        found[last_n] = gains(earlier, later, args.each)
        print(f"newest {last_n}: {json.dumps(found[last_n])}", flush=True)
    print(table(found))
    print(json.dumps({"bench": "reader", "settings": vars(args), "last_n": found}))
    return 0


def gains(earlier: Sequence[Row], later: Sequence[Row], each: int) -> dict[str, Any]:
    """UAUC of the offset, what the reader adds to it and what another's RecCoT takes away, with 95 % intervals."""
    offset = fitted(earlier)
    reader = reading_offset(earlier, offset)

    def log_odds(rows: Sequence[Row]) -> dict[str, list[float]]:
        return {OFFSET: offsets_of(rows, offset)} | counted(rows, reader)

    everything = _gains(later, log_odds(later))
    rows = balanced(later, len({row.user for row in later}), each)
    return {
        "events": len(later),
        "users": len({row.user for row in later}),
        "without_preference": round(float(np.mean([NO_PREFERENCE in row.reccot for row in later])), 3),
        **everything,
        "weights": {"liked": round(reader.liked, 3), "avoided": round(reader.avoided, 3)},
        "seen_with": _seen_with(everything["uauc"][_PAIRS[1]][0], rows, log_odds(rows)),
    }


def table(found: dict[int, dict[str, Any]]) -> str:
    """A Markdown table, a row a length of history."""
    lines = [
        "| newest events | without preference | reader - offset, UAUC | own - another's, UAUC | reader - offset, AUC "
        "| events that show own - another's |",
        "|---|---|---|---|---|---|",
    ]
    for last_n, row in found.items():
        intervals = (" ".join(f"{number:+.4f}" for number in row["uauc"][pair]) for pair in _PAIRS)
        cells = (f"{row['without_preference']:.2f}", *intervals, f"{row['auc']:+.4f}", f"{row['seen_with']:,}")
        lines.append(f"| {last_n} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _gains(rows: Sequence[Row], log_odds: dict[str, Any]) -> dict[str, Any]:
    held = HoldOut(rows)
    quality = {name: held.quality(scores) for name, scores in log_odds.items()}
    return {
        "offset": quality[OFFSET],
        "uauc": {f"{OWN} - {other}": held.gain(log_odds[OWN], log_odds[other]) for other in (OFFSET, SHUFFLED)},
        "auc": round(quality[OWN]["auc"] - quality[OFFSET]["auc"], 4),
    }


def _seen_with(value: float, rows: Sequence[Row], log_odds: dict[str, Any]) -> int:
    """The events with which a gain of ``value`` is seen, by the error that own minus another's has in ``rows``."""
    _, low, high = HoldOut(rows).gain(log_odds[OWN], log_odds[SHUFFLED])
    error = (high - low) / (2 * 1.96)
    return round(len(rows) * (_POWER * error / value) ** 2) if value > 0 else -1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--last-n", type=int, nargs="+", default=[50, 100, 200], help="newest events of a history")
    parser.add_argument("--every", type=int, default=20, help="events between two histories")
    parser.add_argument("--each", type=int, default=10, help="events of a user, for seen_with")
    parser.add_argument("--holdout-share", type=float, default=0.35, help="of the alignment window")
    parser.add_argument("--set", action="append", default=[], help="key=value, as of every job")
    return parser.parse_args()


def _sets(args: argparse.Namespace, last_n: int) -> list[str]:
    place = f"warehouse/reader/{key_of_values(str(last_n), *args.set)[:12]}"
    return [
        f"warehouse={place}", f"log={place}.log", f"histories.every_n={args.every}", f"histories.last_n={last_n}",
        "histories.windows=[alignment]", f"feedback.holdout_share={args.holdout_share}", *args.set,
    ]  # fmt: skip


if __name__ == "__main__":
    raise SystemExit(main())
