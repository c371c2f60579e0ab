"""The tables of docs/results.md: what is stored of the newest run of each backbone, in Markdown. Nothing is fitted.

python -m bench.results conf/gain.yaml conf/real.yaml conf/ml1m.yaml    # after their jobs; seconds

Of each of the settings' warehouses: arms, parts of the test rows, shares of the training rows, and what the texts cost
in tokens and minutes (of the machine that wrote them, with what else ran on it) per +.001 of AUC. Last line one JSON
object with the gains by settings, backbone and arm.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from bench.costs import Cost, costs_of
from trackrec.ctr.floors import FLOORS
from trackrec.ctr.gain import ALL, Gain
from trackrec.ctr.results import GainRow, SliceGain
from trackrec.ctr.roles import PERMUTED, PLANTED, TALLIES
from trackrec.report.gain import GainFigures
from trackrec.report.stored_gain import stored_figures
from trackrec.runtime.settings_files import load_settings
from trackrec.tables.lake import Lake

_NOT_IN_SLICES = (PLANTED, PERMUTED, TALLIES)


def main() -> int:
    """Print the tables and the JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("conf", type=Path, nargs="+")
    gains = {}
    for conf in parser.parse_args().conf:
        settings = load_settings(conf)
        lake = Lake(settings.warehouse)
        figures = stored_figures(lake, (settings.ctr.backbone, *settings.ctr.further_backbones))
        gains[conf.stem] = {of.backbone: {arm: round(gain.mean, 4) for arm, gain in of.gains.items()} for of in figures}
        print("\n".join(line for of in figures for line in _section(conf.stem, of, costs_of(lake, of.rows))))
    print(json.dumps({"bench": "results", "gains": gains}))
    return 0


def _section(name: str, figures: GainFigures, costs: Mapping[str, Cost]) -> Iterator[str]:
    yield from (f"### {name}, {figures.backbone}", "", *figures.heading, "")
    yield from _table(("arm", "AUC", "UAUC", "log-loss", "gain on plain", "95 %", "detects"), _arms(figures))
    parts = [row for row in figures.slices if row.slice != ALL and row.arm not in _NOT_IN_SLICES]
    if parts:
        yield from _table(("rows", "arm", "test rows", "users", "plain", "gain", "95 %"), map(_part, parts))
    if costs:
        head = ("arm", "texts", "tokens read", "tokens written", "minutes", "tokens per +.001", "minutes per +.001")
        yield from _table(head, (_cost(arm, cost, figures.gains[arm]) for arm, cost in costs.items()))


def _table(head: Sequence[str], lines: Iterator[tuple[str, ...]] | map[tuple[str, ...]]) -> Iterator[str]:
    for cells in (head, ["---"] * len(head), *lines):
        yield f"| {' | '.join(cells)} |"
    yield ""


def _arms(figures: GainFigures) -> Iterator[tuple[str, ...]]:
    gains = figures.gains
    for arm, rows in figures.rows.items():
        gain = gains.get(arm)
        tested = (_pair(gain), _interval(*gain.interval), _number(gain.minimum_detectable)) if gain else ("", "", "")
        shown = f"*{arm}*" if arm in FLOORS else arm
        figures_on_test = (_mean(rows, name) for name in ("test_auc", "test_uauc_unweighted", "test_logloss"))
        yield (shown, *figures_on_test, *tested)


def _part(row: SliceGain) -> tuple[str, ...]:
    if math.isnan(row.gain):
        return (row.slice, row.arm, f"{row.rows:,}", f"{row.users:,}", row.reason or "", "", "")
    gain = f"**{row.gain:+.4f}**" if row.low > 0 or row.high < 0 else f"{row.gain:+.4f}"
    interval = _interval(row.low, row.high)
    return (row.slice, row.arm, f"{row.rows:,}", f"{row.users:,}", _number(row.reference_auc), gain, interval)


def _cost(arm: str, cost: Cost, gain: Gain) -> tuple[str, ...]:
    tokens = cost.prompt_tokens + cost.output_tokens
    minutes = "" if cost.minutes is None else f"{cost.minutes:.0f}"
    steps = gain.mean / 0.001
    each = ("no gain shown", "")
    if gain.is_gain:
        each = (f"{tokens / steps:,.0f}", "" if cost.minutes is None else f"{cost.minutes / steps:.1f}")
    return (arm, f"{cost.texts:,}", f"{cost.prompt_tokens:,}", f"{cost.output_tokens:,}", minutes, *each)


def _pair(gain: Gain) -> str:
    text = f"{gain.mean:+.4f} ± {gain.spread:.4f}"
    return f"**{text}**" if gain.is_gain or gain.is_loss else text


def _interval(low: float, high: float) -> str:
    return "" if math.isnan(low) else f"{low:+.4f} {high:+.4f}"


def _mean(rows: Sequence[GainRow], name: str) -> str:
    values = [value for row in rows if (value := getattr(row, name)) is not None]
    return f"{np.mean(values):.4f}" if values else ""


def _number(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.4f}"


if __name__ == "__main__":
    sys.exit(main())
