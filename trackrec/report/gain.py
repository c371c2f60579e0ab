"""The table that the CTR job prints, and what it means in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from trackrec.ctr.floors import FLOORS
from trackrec.ctr.gain import Gain, control_verdict, floor_verdicts, paired_gains
from trackrec.ctr.results import GainRow, Measurement
from trackrec.runtime.terminal import printable

_HEAD = ("arm", "test AUC", "log-loss", "validation", "gain on plain", "95 % interval", "coverage")


def gain_table(measurement: Measurement) -> str:
    """Aligned plain text: rows, floors, arms with mean ± standard deviation over seeds, paired gains, verdicts."""
    arms = list(dict.fromkeys(result.row.arm for result in measurement.arms))
    rows = {arm: measurement.rows_of(arm) for arm in (*FLOORS, *arms)}
    gains = paired_gains(measurement)
    lines = [
        *_head(measurement),
        "",
        *_aligned([_HEAD, *(_cells(rows[arm], gains.get(arm)) for arm in rows)]),
        "± is the standard deviation over seeds; the interval draws test users again, with seed-averaged predictions.",
        "",
        *_verdicts(rows, gains),
    ]
    return printable("\n".join(lines))


def _head(measurement: Measurement) -> list[str]:
    settings, sizes = measurement.settings, measurement.sizes
    versions = [result.row.feature_version for result in measurement.arms if result.row.feature_version is not None]
    users = "all users" if settings.train_users == "all" else "users in scope"
    lines = [
        f"{settings.backbone}, adaptor {settings.adaptor}, {len(settings.seeds)} seeds, "
        f"features {versions[0] if versions else 'none'}",
        f"train {sizes.train:,} rows of {users}; validation {sizes.validation:,} and test {sizes.test:,} rows of "
        f"users in scope ({sizes.test_users} in test)",
    ]
    if sizes.late:
        lines.append(f"left out {sizes.late:,} train and validation rows whose label became known after their window")
    return lines


def _cells(rows: Sequence[GainRow], gain: Gain | None) -> tuple[str, ...]:
    is_floor = rows[0].seed is None
    return (
        rows[0].arm,
        _mean_and_spread([row.test_auc for row in rows]),
        f"{np.mean([row.test_logloss for row in rows]):.4f}",
        f"{np.mean([row.validation_auc for row in rows]):.4f}",
        "floor" if is_floor else _mean_and_spread(gain.differences, "+") if gain else "-",
        f"{gain.interval[0]:+.4f} to {gain.interval[1]:+.4f}" if gain else "-",
        f"{rows[0].coverage:.1%}" if gain else "-",
    )


def _mean_and_spread(values: Sequence[float], sign: str = "") -> str:
    return f"{np.mean(values):{sign}.4f}" + (f" ± {np.std(values, ddof=1):.4f}" if len(values) > 1 else "")


def _aligned(lines: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(cell) for cell in column) for column in zip(*lines, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines]


def _verdicts(rows: Mapping[str, Sequence[GainRow]], gains: Mapping[str, Gain]) -> list[str]:
    floors = {name: rows[name][0].test_auc for name in FLOORS}
    arms = {arm: [row.test_auc for row in rows[arm]] for arm in rows if arm not in FLOORS}
    verdicts = [gain.verdict() for gain in gains.values()]
    control = control_verdict(gains)
    if control is not None:
        verdicts.append(control)
    return verdicts + floor_verdicts(arms, floors)
