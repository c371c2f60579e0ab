"""Whether a RecCoT's clauses land in the right part, and how many RecCoTs of the demo have each part.

python -m bench.parts --conf conf/demo.yaml    # after `make demo`; a minute

Of every attribute that the statistics teacher names it is known on which side it stands, so its texts about the demo's
histories are the test. ``right``: mentions in the part that they belong to and in no
other, with the history's titles given, as when RecCoTs are encoded; ``right_without_titles``: from the text alone.
``liked``, ``avoided``, ``outlook``: shares of the demo's RecCoTs by G that have this part.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from trackrec.histories.shares import COLUMNS, Shares, shares_of
from trackrec.histories.templates import template_of
from trackrec.reccots.parts import Parts, parts_of
from trackrec.runtime.settings import Settings
from trackrec.runtime.settings_files import load_settings
from trackrec.tables.lake import Lake
from trackrec.tables.writers import is_teacher
from trackrec.training.teachers.statistics import StatisticsTeacher

_SHOWN = ("prompt_key", "template_version", "liked", "disliked", *COLUMNS)
_EXPECTED = re.compile(r"[A-Z][\w'-]* should suit them")
_RISKY = re.compile(r"[A-Z][\w'-]* is a risk")
_VERDICT = re.compile(r"(?:prefer|less drawn to) [A-Z][\w'-]*")


def main() -> int:
    """Read the tables that the settings name and print one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--conf", type=Path, default=Path("conf/demo.yaml"))
    settings = load_settings(parser.parse_args().conf)
    lake = Lake(settings.warehouse)
    histories = {row["prompt_key"]: row for row in lake.read_columns("user_histories", _SHOWN).to_pylist()}
    print(
        json.dumps({"bench": "parts"} | teacher_figures(histories.values(), settings) | demo_figures(lake, histories))
    )
    return 0


def teacher_figures(histories: Iterable[Mapping[str, Any]], settings: Settings) -> dict[str, float]:
    """teacher_texts, mentions, right, right_without_titles."""
    template = template_of(settings.prompt, settings.histories)
    teacher, texts, checks = StatisticsTeacher(template), 0, []
    for row in histories:
        if row["template_version"] == template.version:
            text = teacher.text(row)
            with_titles, alone = parts_of(text, [*row["liked"], *row["disliked"]]), parts_of(text)
            checks += [(in_place(m, with_titles), in_place(m, alone)) for m in mentions(text, shares_of(row))]
            texts += 1
    if not checks:
        raise SystemExit(f"user_histories has no row of {template.version} that names anything: build histories first.")
    right, alone_right = (sum(column) / len(checks) for column in zip(*checks, strict=True))
    figures = {"teacher_texts": texts, "mentions": len(checks)}
    return figures | {"right": round(right, 4), "right_without_titles": round(alone_right, 4)}


def mentions(text: str, shares: Shares) -> Iterator[tuple[str, str]]:
    """(words of ``text``, the part that they belong to) for each count and conclusion of the teacher in it."""
    for side, tallies in (("liked", shares.above), ("avoided", shares.below)):
        for tally in tallies:
            count = f"({tally.liked} of {tally.total})"
            if f"f {tally.attribute} " in text and text.count(count) == 1:  # not where two attributes have one count
                yield count, side
    for match in _EXPECTED.finditer(text):
        yield match[0], "outlook"
    for match in _RISKY.finditer(text):
        yield match[0], "avoided"
    for match in _VERDICT.finditer(text):
        yield match[0], "liked" if match[0].startswith("prefer") else "avoided"


def in_place(mention: tuple[str, str], parts: Parts) -> bool:
    """Whether the words stand in their part and in no other."""
    words, part = mention
    whole = re.compile(rf"(?<!\w){re.escape(words.rstrip('!?.'))}(?!\w)")
    return [name for name, text in parts._asdict().items() if whole.search(text)] == [part]


def demo_figures(lake: Lake, histories: Mapping[str, Mapping[str, Any]]) -> dict[str, float]:
    """reccots (G's, with a text), and the share of them that has each part."""
    rows = lake.read_columns("reccots", ["prompt_key", "generator_version", "text"]).to_pylist()
    rows = [
        row
        for row in rows
        if row["text"] and not is_teacher(row["generator_version"]) and row["prompt_key"] in histories
    ]
    shown = [histories[row["prompt_key"]] for row in rows]
    parts = [parts_of(row["text"], [*h["liked"], *h["disliked"]]) for row, h in zip(rows, shown, strict=True)]
    present = {name: sum(bool(getattr(of_text, name)) for of_text in parts) for name in Parts._fields}
    return {"reccots": len(rows)} | {name: round(count / len(rows), 3) for name, count in present.items()}


if __name__ == "__main__":
    sys.exit(main())
