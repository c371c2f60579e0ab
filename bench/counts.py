"""Of what G says of its prompt's counts in its RecCoTs, the share that is true.

python -m bench.counts --conf conf/demo.yaml    # after `make demo`; seconds

A G distilled from the statistics teacher writes "Drama (16 liked, 4 not)", which it can copy from the prompt's
"Drama 16 / 4"; distilled from the teacher's first form it wrote "Drama (16 of 20 liked)", which takes a sum. Both are
read.
``sides``: of the attributes with a count in the first sentence, those that the user likes more than all they rated, and
less for those in later sentences; that takes divisions. One JSON line a version of G.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from trackrec.runtime.settings_files import load_settings
from trackrec.tables.lake import Lake
from trackrec.tables.writers import is_teacher
from trackrec.training.teachers.statistics import Tally

_COPIED = re.compile(r"([A-Z][\w'-]*) \((\d+) liked, (\d+) not\)")
_SUMMED = re.compile(r"([A-Z][\w'-]*) \((\d+) of (\d+)")
_HISTORY = ["prompt_key", "tallies", "n_liked", "n_events"]


def main() -> int:
    """Read the tables that the settings name and print the JSON lines."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--conf", type=Path, default=Path("conf/demo.yaml"))
    lake = Lake(load_settings(parser.parse_args().conf).warehouse)
    histories = {row["prompt_key"]: row for row in lake.read_columns("user_histories", _HISTORY).to_pylist()}
    checks: dict[str, list[tuple[bool, bool]]] = defaultdict(list)
    for row in lake.read_columns("reccots", ["prompt_key", "generator_version", "text"]).to_pylist():
        if row["text"] and row["prompt_key"] in histories and not is_teacher(row["generator_version"]):
            checks[row["generator_version"]] += checked(row["text"], histories[row["prompt_key"]])
    for version, pairs in checks.items():
        counts, sides = (sum(column) / len(pairs) for column in zip(*pairs, strict=True))
        line = {"bench": "counts", "generator": version, "named": len(pairs)}
        print(json.dumps(line | {"counts": round(counts, 3), "sides": round(sides, 3)}))
    return 0


def checked(text: str, history: Mapping[str, Any]) -> Iterator[tuple[bool, bool]]:
    """(whether the counts are the prompt's, whether it stands on its side) for each counted attribute in ``text``."""
    tallies = {t["attribute"]: Tally(t["attribute"], t["liked"], t["disliked"]) for t in history["tallies"]}
    share = history["n_liked"] / history["n_events"]
    for number, sentence in enumerate(text.split(". ")):
        claims = [Tally(name, int(a), int(b)) for name, a, b in _COPIED.findall(sentence)]
        claims += [Tally(name, int(a), int(b) - int(a)) for name, a, b in _SUMMED.findall(sentence)]
        for claim in claims:
            tally = tallies.get(claim.attribute)
            lift = tally.lift(share) if tally else 0.0
            yield tally == claim, (lift > 0 if number == 0 else lift < 0)


if __name__ == "__main__":
    sys.exit(main())
