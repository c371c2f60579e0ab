"""The gains as a dot plot with intervals, PNG and SVG; matplotlib is imported only where one is drawn.

Readable in grey: the marker's shape says what an arm is there for, filled or open whether its gain counts.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from trackrec.ctr.gain import Gain
from trackrec.ctr.roles import CONTROLS, PLANTED
from trackrec.report.gain import GainFigures, number_of_seeds, varying
from trackrec.runtime.places import is_path, without_scheme
from trackrec.runtime.terminal import printable_line

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FORMATS = ("png", "svg")
_DPI = 150  # 1,350 pixels across
_ROW_INCHES = 0.42
_TITLE_CHARS = 110
_WORTH = "|"  # marks what was planted


def plot_folder(warehouse: str) -> Path:
    """Where plots lie: beside the tables of a local folder; else in the working directory, by the warehouse's name."""
    place = without_scheme(warehouse)
    if is_path(warehouse) and "://" not in place:
        return Path(place) / "plots"
    name = "".join(letter if letter.isalnum() or letter in "._-" else "_" for letter in place.rstrip("/"))
    return Path("plots") / name


def save_plot(figures: Sequence[GainFigures], folder: Path) -> list[str]:
    """Draw the gains of each backbone, save ``gain.png`` and ``gain.svg``; returns lines to print: where, and the text.

    A missing matplotlib or a folder that cannot be written is one line that says so: a plot is no reason to fail. No
    lines where no arm but plain was measured.
    """
    drawn = [figure for figure in figures if figure.gains]
    if not drawn:
        return []
    try:
        import matplotlib
    except ModuleNotFoundError:
        return ["no plot of the gains: matplotlib is not installed; it comes with the extra [ctr]."]
    paths, text = [folder / f"gain.{kind}" for kind in FORMATS], alt_text(drawn)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with matplotlib.rc_context({"svg.hashsalt": "trackrec", "svg.fonttype": "none", "font.size": 9}):
            figure = _draw(drawn)
            figure.savefig(paths[0], dpi=_DPI, metadata={"Description": text})
            figure.savefig(paths[1], metadata={"Description": text, "Date": None})  # the same bytes every time
    except OSError as error:
        return [printable_line(f"no plot of the gains: {folder} cannot be written ({error.strerror}).")]
    return [printable_line(f"plot: {' and '.join(map(str, paths))}"), printable_line(text)]


def alt_text(figures: Sequence[GainFigures]) -> str:
    """What the plot shows, in words, for those who do not see it."""
    parts = []
    for figure in figures:
        arms = "; ".join(
            f"{gain.arm} {gain.mean:+.4f}{_between(gain)}{', counts' if gain.is_more_than_chance else ''}"
            for gain in figure.gains.values()
        )
        apart = f" (another run: {figure.differs_in})" if figure.differs_in else ""
        parts.append(f"{_title(figure)}{apart}: {arms}.")
    return "Dot plot with 95 % intervals. " + " ".join(parts)


def _between(gain: Gain) -> str:
    low, high = gain.interval
    return "" if np.isnan(low) else f" ({low:+.4f} to {high:+.4f})"


def _title(figure: GainFigures) -> str:
    rows = next(iter(figure.rows.values()))[0].test_rows
    users = f" of {figure.test_users:,} users" if figure.test_users is not None else ""
    seeds = number_of_seeds(figure.seeds)
    return f"Gain in AUC on plain {figure.backbone} ({figure.plain_auc:.4f}), {rows:,} test rows{users}, {seeds}"


def _draw(figures: Sequence[GainFigures]) -> Figure:
    from matplotlib.figure import Figure

    rows = sum(len(figure.gains) for figure in figures)
    height = _ROW_INCHES * rows + 1.1 * len(figures) + 0.9
    drawing = Figure(figsize=(9, height), layout="constrained")
    ratios = [len(figure.gains) + 1 for figure in figures]
    all_axes = drawing.subplots(len(figures), sharex=True, squeeze=False, height_ratios=ratios)[:, 0]
    for axes, figure in zip(all_axes, figures, strict=True):
        _draw_arms(axes, figure)
    over = varying(min(figure.seeds for figure in figures))
    all_axes[-1].set_xlabel(f"difference of AUC, mean over seeds with 95 % interval over {over}")
    drawing.legend(handles=_legend(), loc="outside lower center", ncols=3, frameon=False, fontsize=8)
    return drawing


def _draw_arms(axes: Axes, figure: GainFigures) -> None:
    axes.use_sticky_edges = False  # bands end before the frame does
    gains = list(figure.gains.values())
    tested, controls = ([g for g in gains if (g.arm in CONTROLS) is control] for control in (False, True))
    lines = [*tested, *controls]
    places = [*range(len(tested)), *(len(tested) + 0.5 * bool(tested) + n for n in range(len(controls)))]
    for place, gain in zip(places, lines, strict=True):
        _draw_gain(axes, place, gain)
    axes.axvline(0, color="black", linewidth=1, zorder=2)
    if tested and controls:
        axes.axhline(len(tested) - 0.25, color="0.6", linewidth=0.8, linestyle=":")
    axes.set_yticks(places, [printable_line(gain.arm) for gain in lines])
    axes.set_ylim(max(places) + 0.6, -0.6)  # the first arm on top
    apart = textwrap.wrap(f"another run: {figure.differs_in}", _TITLE_CHARS) if figure.differs_in else []
    axes.set_title("\n".join(map(printable_line, [_title(figure), *apart])), loc="left", fontsize=10)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:+.4f}" if abs(value) > 1e-9 else "0")
    axes.tick_params(axis="y", length=0)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)


def _draw_gain(axes: Axes, place: float, gain: Gain) -> None:
    low, high = gain.interval
    if not np.isnan(gain.minimum_detectable):
        band = gain.minimum_detectable
        axes.barh(place, 2 * band, left=-band, height=0.8, color="0.9", zorder=0)
    if not np.isnan(low):
        axes.hlines(place, low, high, color="black", linewidth=1.4, zorder=3)
    filled = "black" if gain.is_more_than_chance else "white"
    shape = "D" if gain.arm == PLANTED else "s" if gain.arm in CONTROLS else "o"
    axes.plot(gain.mean, place, shape, color="black", markerfacecolor=filled, markersize=7, zorder=4)
    if gain.planted_worth is not None:
        axes.plot(gain.planted_worth, place, _WORTH, color="black", markersize=16, markeredgewidth=1.6, zorder=3)
    figures = f"{gain.mean:+.4f}{_between(gain)}"
    axes.annotate(
        figures, (1, place), xycoords=("axes fraction", "data"), xytext=(6, 0), textcoords="offset points", va="center",
        fontsize=8, annotation_clip=False,
    )  # fmt: skip


def _legend() -> list[object]:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    def mark(shape: str, filled: bool, label: str) -> Line2D:
        face = "black" if filled else "white"
        return Line2D([], [], linestyle="", marker=shape, color="black", markerfacecolor=face, label=label)

    return [
        mark("o", False, "under test"),
        mark("s", False, "control"),
        mark("D", False, "planted signal"),
        mark("o", True, "filled: more than chance, or found"),
        mark(_WORTH, True, "what was planted"),
        Patch(color="0.9", label="too small for this design to show"),
    ]
