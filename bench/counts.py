"""Of what G says of its prompts' numbers in its RecCoTs, the share that is true.

python -m bench.counts --conf conf/demo.yaml    # after `make demo`; seconds
python -m bench.counts --require-goals          # ends with 1 where a goal is missed

``counts``: numbers that are the prompt's, a share with its counts being one, "80 % (16 of 20)". ``sides``: mentions of
attributes in liked and outlook clauses that the prompt calls clearly above, and in avoided ones clearly below.
``middling``: texts that see no clear preference, beside those whose prompt shows none, and the texts of which this is
said rightly. ``as_taught``: texts that are word for word what the statistics teacher says now of the same history. One
JSON line a version of G and way of sampling: candidates at temperature 1 are not what is served.

Of texts about prompts without shares (preference_v1) "Drama (16 liked, 4 not)" is read, against the tallies, and its
side against the user's share of all they rated.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from trackrec.histories import shares
from trackrec.histories.shares import Tally, shares_of
from trackrec.histories.templates import template_of
from trackrec.reccots.claims import NO_PREFERENCE, claims_of
from trackrec.runtime.settings import Settings
from trackrec.runtime.settings_files import load_settings
from trackrec.tables.lake import Lake
from trackrec.tables.writers import is_teacher
from trackrec.training.teachers.statistics import StatisticsTeacher, statistics_teacher
from trackrec.training.teachers.tallies import TalliesTeacher

GOALS = {"counts": 0.95, "sides": 0.9}
_COPIED = re.compile(r"([A-Z][\w'-]*) \((\d+) liked, (\d+) not\)")
_SUMMED = re.compile(r"([A-Z][\w'-]*) \((\d+) of (\d+)")
_HISTORY = ["prompt_key", "liked", "disliked", "tallies", "n_liked", "n_events", *shares.COLUMNS]
_TEXT = ["prompt_key", "generator_version", "sampling", "text"]

Pair = tuple[str, Mapping[str, Any]]  # a RecCoT and the row of user_histories that it was written from


def main() -> int:
    """Read the tables that the settings name and print the JSON lines; 1 where goals are required and missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--conf", type=Path, default=Path("conf/demo.yaml"))
    parser.add_argument("--require-goals", action="store_true")
    args = parser.parse_args()
    lines = []
    for (version, sampling), checked_figures in sorted(figures_by_writer(load_settings(args.conf)).items()):
        line = {"bench": "counts", "generator": version, "sampling": json.loads(sampling)}
        lines.append(line | checked_figures)
        print(json.dumps(lines[-1]))
    return int(args.require_goals and not (lines and all(line["goals_met"] for line in lines)))


def figures_by_writer(settings: Settings) -> dict[tuple[str, str], dict[str, Any]]:
    """(generator_version, sampling) → texts and ``figures`` of what is stored in the warehouse of ``settings``."""
    lake = Lake(settings.warehouse)
    histories = {row["prompt_key"]: row for row in lake.read_columns("user_histories", _HISTORY).to_pylist()}
    attributes = {tally["attribute"] for row in histories.values() for tally in row["tallies"]}
    stored = by_writer(lake.read_columns("reccots", _TEXT).to_pylist(), histories)
    teacher = statistics_teacher(template_of(settings.prompt, settings.histories))
    return {
        writer: {"texts": len(pairs), **figures(pairs, attributes), **_as_taught(pairs, teacher)}
        for writer, pairs in stored.items()
    }


def _as_taught(pairs: Sequence[Pair], teacher: StatisticsTeacher | TalliesTeacher) -> dict[str, float]:
    """Of texts about prompts with shares; nothing where the teacher reads tallies."""
    if not isinstance(teacher, StatisticsTeacher) or any(row["above"] is None for _, row in pairs):
        return {}
    return {"as_taught": round(sum(text == teacher.text(row) for text, row in pairs) / len(pairs), 3)}


def by_writer(
    reccots: Iterable[Mapping[str, Any]], histories: Mapping[str, Mapping[str, Any]]
) -> dict[tuple[str, str], list[Pair]]:
    """G's texts beside their histories, by (generator_version, sampling)."""
    pairs = defaultdict(list)
    for row in reccots:
        if row["text"] and row["prompt_key"] in histories and not is_teacher(row["generator_version"]):
            pairs[row["generator_version"], row["sampling"]].append((row["text"], histories[row["prompt_key"]]))
    return pairs


def figures(pairs: Sequence[Pair], attributes: Iterable[str]) -> dict[str, Any]:
    """counts, sides (None: nothing is named), whether the goals are met; of prompts with shares the middling texts."""
    with_shares = [(text, row) for text, row in pairs if row["above"] is not None]
    if not with_shares:
        checks = [check for text, row in pairs for check in checked(text, row)]
        return _line(len(checks), sum(right for right, _ in checks), len(checks), sum(side for _, side in checks))
    claims = [
        claims_of(text, shares_of(row), attributes, [*row["liked"], *row["disliked"]]) for text, row in with_shares
    ]
    said = [NO_PREFERENCE in text for text, _ in with_shares]
    true = [not row["above"] and not row["below"] for _, row in with_shares]
    middling = {
        "middling": round(sum(said) / len(said), 3),
        "middling_true": round(sum(true) / len(true), 3),
        "middling_right": round(sum(a == b for a, b in zip(said, true, strict=True)) / len(said), 3),
    }
    totals = [sum(column) for column in zip(*(vars(claim).values() for claim in claims), strict=True)]
    return _line(*totals) | middling


def _line(numbers: int, right: int, mentions: int, on_their_side: int) -> dict[str, Any]:
    line = {
        "counts": round(right / numbers, 3) if numbers else None,
        "sides": round(on_their_side / mentions, 3) if mentions else None,
    }
    met = all((line[name] or 0.0) >= goal for name, goal in GOALS.items())
    return {"numbers": numbers, "mentions": mentions, **line, "goals": GOALS, "goals_met": met}


def checked(text: str, history: Mapping[str, Any]) -> Iterator[tuple[bool, bool]]:
    """(whether the counts are the tallies', whether it stands on its side) for each counted attribute in ``text``."""
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
