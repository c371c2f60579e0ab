"""The tables about the gain that the CTR job prints, and what they mean in words."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from trackrec.ctr.floors import FLOORS
from trackrec.ctr.gain import ALL, Gain, gains_of
from trackrec.ctr.results import GainRow, Measurement, SliceGain
from trackrec.ctr.roles import CONTROLS, PLAIN, PLANTED, RECCOT, WITHOUT_ITEM_TEXT, ordered
from trackrec.ctr.verdicts import control_verdicts, floor_verdicts, plain_words, planted_verdict, still_learning
from trackrec.runtime.terminal import printable

_WIDTH = 120
_HEAD = ("arm", "test AUC", "UAUC", "log-loss", "ECE", "gain on plain", "95 % interval", "detects", "cover")
_LEGEND = (
    "±: standard deviation over seeds. UAUC: each user counts once. Interval: over {}. Detects: the",
    "smallest gain that this design would have shown with 80 % power. Cover: share of test rows with features.",
)
_SLICE_HEAD = ("slice", "arm", "rows", "users", "reference", "arm AUC", "gain", "95 % interval", "detects")
_OTHER_HEAD = ("arm", "change of UAUC", "95 % interval", "change of log-loss", "95 % interval")


@dataclass(frozen=True)
class GainFigures:
    """What one run of the CTR job measured with one backbone, from the job itself or out of its tables."""

    backbone: str
    heading: tuple[str, ...]
    rows: Mapping[str, Sequence[GainRow]]  # arm or floor → a row a seed
    slices: Sequence[SliceGain]
    differs_in: str = ""  # what tells its run from those of the backbones beside it; "": nothing

    @property
    def seeds(self) -> int:
        """How many were fitted."""
        return len(self.rows[PLAIN])

    @property
    def gains(self) -> dict[str, Gain]:
        """Gains by arm."""
        return gains_of([row for rows in self.rows.values() for row in rows], self.slices)

    @property
    def plain_auc(self) -> float:
        """Mean test AUC of plain over seeds."""
        return float(np.mean([row.test_auc for row in self.rows[PLAIN]]))

    @property
    def test_users(self) -> int | None:
        """Users in test; None where no row of gain_slices says so."""
        return next((row.users for row in self.slices if row.slice == ALL), None)


def measured_figures(measurement: Measurement, slices: Sequence[SliceGain]) -> GainFigures:
    """The figures of a run that has just ended."""
    rows = by_arm(measurement.rows)
    return GainFigures(measurement.settings.backbone, tuple(_heading(measurement)), rows, slices)


def by_arm(rows: Sequence[GainRow]) -> dict[str, list[GainRow]]:
    """Rows of each floor and arm: floors first, then arms in their order, seeds in the order of ``rows``."""
    arms = ordered({row.arm for row in rows if row.seed is not None})
    return {arm: [row for row in rows if row.arm == arm] for arm in (*FLOORS, *arms)}


def feature_version(rows: Sequence[GainRow]) -> str | None:
    """That of the RecCoTs, else of the first arm that has one."""
    versions = {row.arm: row.feature_version for row in rows if row.feature_version is not None}
    return versions.get(RECCOT, next(iter(versions.values()), None))


def gain_table(figures: GainFigures) -> str:
    """Aligned plain text of at most 120 columns: the verdict for everybody, floors and arms, slices, all verdicts."""
    gains = figures.gains
    words = plain_words(figures.plain_auc, gains, figures.slices)
    lines = [
        *figures.heading,
        "",
        *_aligned([_HEAD, *(_cells(rows, gains.get(arm)) for arm, rows in figures.rows.items())]),
        *(line.format(varying(figures.seeds)) for line in _LEGEND),
        "",
        *_slice_lines(figures),
        *(line for verdict in _verdicts(figures, gains) for line in wrapped(verdict)),
        *(["", *wrapped(words, indent="")] if words else []),
    ]
    return printable("\n".join(lines))


def number_of_seeds(seeds: int) -> str:
    """In words: 1 seed, 2 seeds."""
    return f"{seeds} seed{'s' if seeds != 1 else ''}"


def varying(seeds: int) -> str:
    """What an interval is over: one seed says nothing of how seeds vary."""
    return "users and seeds" if seeds > 1 else "users"


def _heading(measurement: Measurement) -> list[str]:
    settings, sizes = measurement.settings, measurement.sizes
    version = feature_version(measurement.rows)
    users = "all users" if settings.train_users == "all" else "users in scope"
    lines = [
        f"{settings.backbone}, adaptor {settings.adaptor}, {number_of_seeds(len(settings.seeds))}, "
        f"features {version or 'none'}",
        f"train {sizes.train:,} rows of {users}; validation {sizes.validation:,} rows of all users; "
        f"test {sizes.test:,} rows of {sizes.test_users:,} users in scope",
    ]
    if sizes.late:
        lines.append(f"left out {sizes.late:,} train and validation rows whose label became known after their window")
    return lines


def _cells(rows: Sequence[GainRow], gain: Gain | None) -> tuple[str, ...]:
    is_floor = rows[0].seed is None
    return (
        rows[0].arm,
        _mean_and_spread([row.test_auc for row in rows]),
        _mean([row.test_uauc_unweighted for row in rows]),
        _mean([row.test_logloss for row in rows]),
        _mean([row.test_ece for row in rows]),
        "floor" if is_floor else _mean_and_spread(gain.differences, "+") if gain else "-",
        _interval(*gain.interval) if gain else "-",
        _number(gain.minimum_detectable) if gain else "-",
        f"{rows[0].coverage:.1%}" if gain and gain.arm != WITHOUT_ITEM_TEXT else "-",
    )


def _mean_and_spread(values: Sequence[float], sign: str = "") -> str:
    return f"{np.mean(values):{sign}.4f}" + (f" ± {np.std(values, ddof=1):.4f}" if len(values) > 1 else "")


def _mean(values: Sequence[float | None]) -> str:
    numbers = [value for value in values if value is not None]
    return _number(float(np.mean(numbers))) if numbers else "-"


def _number(value: float, sign: str = "") -> str:
    return "-" if math.isnan(value) else f"{value:{sign}.4f}"


def _interval(low: float, high: float) -> str:
    return "-" if math.isnan(low) else f"{low:+.4f} to {high:+.4f}"


def wrapped(sentence: str, indent: str = "  ") -> list[str]:
    """Lines of at most 120 columns, the further ones behind ``indent``."""
    return textwrap.wrap(sentence, _WIDTH, subsequent_indent=indent, break_on_hyphens=False)


def _aligned(lines: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(cell) for cell in column) for column in zip(*lines, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines]


def _slice_lines(figures: GainFigures) -> list[str]:
    """What is under test, or all arms where nothing is: by slice, and in the other figures."""
    tested = {row.arm for row in figures.slices} - set(CONTROLS)
    shown = [row for row in figures.slices if row.arm in tested or not tested]
    parts = [row for row in shown if row.slice != ALL]
    lines = [*_aligned([_OTHER_HEAD, *(_other_cells(row) for row in shown if row.slice == ALL)]), ""] if shown else []
    return [*lines, *_aligned([_SLICE_HEAD, *map(_slice_cells, parts)]), ""] if parts else lines


def _slice_cells(row: SliceGain) -> tuple[str, ...]:
    if row.reason is not None and math.isnan(row.gain):
        return (row.slice, row.arm, f"{row.rows:,}", f"{row.users:,}", row.reason, "-", "-", "-", "-")
    auc, arm_auc, gain = _number(row.reference_auc), _number(row.arm_auc), _number(row.gain, "+")
    interval, detects = _interval(row.low, row.high), _number(row.minimum_detectable)
    return (row.slice, row.arm, f"{row.rows:,}", f"{row.users:,}", auc, arm_auc, gain, interval, detects)


def _other_cells(row: SliceGain) -> tuple[str, ...]:
    uauc = _number(row.uauc_gain, "+"), _interval(row.uauc_low, row.uauc_high)
    return (row.arm, *uauc, _number(row.logloss_change, "+"), _interval(row.logloss_low, row.logloss_high))


def _verdicts(figures: GainFigures, gains: Mapping[str, Gain]) -> list[str]:
    floors = {name: figures.rows[name][0].test_auc for name in FLOORS}
    arms = {arm: [row.test_auc for row in rows] for arm, rows in figures.rows.items() if arm not in FLOORS}
    early = still_learning([row for rows in figures.rows.values() for row in rows])
    verdicts = [early] if early else []
    verdicts += [planted_verdict(gains)] if gains else []
    verdicts += [gain.verdict() for gain in gains.values() if gain.arm != PLANTED]
    return [*verdicts, *control_verdicts(gains, figures.slices), *floor_verdicts(arms, floors)]
