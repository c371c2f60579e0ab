"""The table that the CTR job prints, and what it means in words."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from trackrec.ctr.experiment import FLOORS, Measurement, Row
from trackrec.ctr.gain import Gain, control_verdict, floor_verdicts

_HEAD = ("arm", "test AUC", "log-loss", "validation", "gain on plain", "95 % interval", "coverage")


def gain_table(measurement: Measurement) -> str:
    """Aligned plain text: rows, arms with mean ± standard deviation over seeds, paired gains, floors, verdicts."""
    m, gains = measurement, measurement.gains()
    by_arm = {arm: [row for row in m.rows if row["arm"] == arm] for arm in (*FLOORS, *m.arms)}
    users = len(np.unique(m.samples.user[m.test]))
    scope = "all users" if m.settings.train_users == "all" else "users in scope"
    version = next((row["feature_version"] for row in m.rows if row["feature_version"]), "none")
    lines = [
        f"{m.settings.backbone}, adaptor {m.settings.adaptor}, {len(m.settings.seeds)} seeds, features {version}",
        f"train {len(m.train):,} rows of {scope}; validation {len(m.validation):,} and test {len(m.test):,} rows of "
        f"users in scope ({users} in test)",
        "",
        *_aligned([_HEAD, *(_line(rows, gains.get(arm)) for arm, rows in by_arm.items())]),
        "± is the standard deviation over seeds; the interval draws test users again, with seed-averaged predictions.",
        "",
        *_verdicts(by_arm, gains),
    ]
    return "\n".join(lines)


def _line(rows: list[Row], gain: Gain | None) -> tuple[str, ...]:
    floor = rows[0]["seed"] is None
    return (
        rows[0]["arm"],
        _spread([row["test_auc"] for row in rows]),
        f"{np.mean([row['test_logloss'] for row in rows]):.4f}",
        f"{np.mean([row['validation_auc'] for row in rows]):.4f}",
        "floor" if floor else _spread(gain.differences, "+") if gain else "-",
        f"{gain.interval[0]:+.4f} to {gain.interval[1]:+.4f}" if gain else "-",
        f"{rows[0]['coverage']:.1%}" if gain else "-",
    )


def _spread(values: Sequence[float], sign: str = "") -> str:
    return f"{np.mean(values):{sign}.4f}" + (f" ± {np.std(values, ddof=1):.4f}" if len(values) > 1 else "")


def _aligned(table: list[tuple[str, ...]]) -> list[str]:
    widths = [max(len(cell) for cell in column) for column in zip(*table, strict=True)]
    return ["  ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)).rstrip() for line in table]


def _verdicts(by_arm: dict[str, list[Row]], gains: dict[str, Gain]) -> list[str]:
    scores = {arm: [row["test_auc"] for row in rows] for arm, rows in by_arm.items()}
    floors = {arm: scores.pop(arm)[0] for arm in FLOORS}
    below = floor_verdicts(scores, floors)
    control = control_verdict(gains)
    return [gain.verdict() for gain in gains.values()] + ([control] if control else []) + below
