"""Whether a RecCoT's clauses land in the right part, and how many RecCoTs of the demo have each part.

python -m bench.parts --conf conf/demo.yaml    # after `make demo`; a minute

Of every attribute and title that the statistics teacher names it is known on which side they stand, so its texts about
the demo's histories, each in ten wordings, are the test. ``right``: mentions in the part that they belong to and in no
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

from trackrec.feedback.groundedness import Names
from trackrec.histories.templates import template_of
from trackrec.reccots.parts import Parts, parts_of
from trackrec.runtime.settings import Settings
from trackrec.runtime.settings_files import load_settings
from trackrec.tables.lake import Lake
from trackrec.tables.writers import is_teacher
from trackrec.training.teachers.statistics import History, Tally, reccot

_WORDINGS = 10  # of the teacher, a history
_SHOWN = ("prompt_key", "liked", "disliked", "tallies", "n_liked", "n_events")
_COUNTED = re.compile(r"([A-Z][\w'-]*) \(\d+ liked, \d+ not\)")
_EXPECTED = re.compile(r"([A-Z][\w'-]*) should suit them|expect ([A-Z][\w'-]*) to please")
_RISKY = re.compile(r"[A-Z][\w'-]* (?:is a risk|rather not)")


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
    texts, checks = 0, []
    for row in histories:
        history = history_of(row)
        for wording in range(_WORDINGS):
            text = reccot(history, template.opening, template.item_noun, wording)
            with_titles, alone = parts_of(text, [*history.liked, *history.disliked]), parts_of(text)
            checks += [(in_place(m, with_titles), in_place(m, alone)) for m in mentions(text, history)]
            texts += 1
    right, alone_right = (sum(column) / len(checks) for column in zip(*checks, strict=True))
    figures = {"teacher_texts": texts, "mentions": len(checks)}
    return figures | {"right": round(right, 4), "right_without_titles": round(alone_right, 4)}


def history_of(row: Mapping[str, Any]) -> History:
    """What the teacher reads of a row of ``user_histories``."""
    tallies = [Tally(t["attribute"], t["liked"], t["disliked"]) for t in row["tallies"]]
    return History(row["liked"], row["disliked"], tallies, row["n_liked"], row["n_events"])


def mentions(text: str, history: History) -> Iterator[tuple[str, str]]:
    """(words of ``text``, the part that they belong to) for each attribute and title that the teacher names in it."""
    share = history.n_liked / history.n_events
    lifts = {tally.attribute: tally.lift(share) for tally in history.tallies}
    for match in _COUNTED.finditer(text):
        yield match[0], "liked" if lifts[match[1]] > 0 else "avoided"
    for match in _EXPECTED.finditer(text):
        yield match[0], "outlook"
    for match in _RISKY.finditer(text):
        yield match[0], "avoided"
    both = {*history.liked} & {*history.disliked}
    for title in Names([*history.liked, *history.disliked]).within(text):
        if title not in both:
            yield title, "liked" if title in history.liked else "avoided"


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
