"""Of the counts that G names in its RecCoTs, the share that its prompt says.

python -m bench.counts --conf conf/demo.yaml    # after `make demo`; seconds

A G taught by the statistics teacher writes "Drama (16 liked, 4 not)", which it can copy from the prompt's
"Drama 16 / 4"; taught by the teacher's first form it wrote "Drama (16 of 20 liked)", which takes a sum. Both are read.
One JSON line a version of G.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

from trackrec.config_files import load_settings
from trackrec.lake import Lake

_COPIED = re.compile(r"([A-Z][\w'-]*) \((\d+) liked, (\d+) not\)")
_SUMMED = re.compile(r"([A-Z][\w'-]*) \((\d+) of (\d+)")


def main() -> int:
    """Read the tables that the settings name and print the JSON lines."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--conf", type=Path, default=Path("conf/demo.yaml"))
    lake = Lake(load_settings(parser.parse_args().conf).warehouse)
    histories = lake.read_columns("user_histories", ["prompt_key", "tallies"]).to_pylist()
    tallies = {row["prompt_key"]: row["tallies"] for row in histories}
    found: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for row in lake.read_columns("reccots", ["prompt_key", "generator_version", "text"]).to_pylist():
        if row["text"] and row["prompt_key"] in tallies:
            found[row["generator_version"]].append(counts_right(row["text"], tallies[row["prompt_key"]]))
    for version, pairs in found.items():
        right, named = (sum(part) for part in zip(*pairs, strict=True))
        line = {"bench": "counts", "generator": version, "reccots": len(pairs), "named": named, "right": right}
        print(json.dumps(line | {"share": round(right / named, 3) if named else None}))
    return 0


def counts_right(text: str, tallies: list[dict[str, Any]]) -> tuple[int, int]:
    """(how many of the counts in ``text`` are those of ``tallies``, how many there are)."""
    pairs = {tally["attribute"]: (tally["liked"], tally["disliked"]) for tally in tallies}
    named = [(name, int(a), int(b)) for name, a, b in _COPIED.findall(text)]
    named += [(name, int(a), int(b) - int(a)) for name, a, b in _SUMMED.findall(text)]
    return sum(pairs.get(name) == (liked, disliked) for name, liked, disliked in named), len(named)


if __name__ == "__main__":
    sys.exit(main())
