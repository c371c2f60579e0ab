"""What tells runs apart that stand below each other in one report: their figures compare only where nothing does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from trackrec.ctr.results import GainRow
from trackrec.ctr.run_settings import settings_in

_NOT_RECORDED = "settings not recorded (an earlier version)"


def differences(runs: Mapping[str, Sequence[GainRow]]) -> dict[str, str]:
    """Of each of ``runs`` (any name → its rows of one backbone, floors included) in what it differs from the others.

    Settings under ctr, seeds, rows, and the features of an arm; "" where all that were recorded are alike.
    """
    facts = {name: _facts(rows) for name, rows in runs.items()}
    values: dict[str, set[str]] = {}
    for of_run in facts.values():
        for fact, value in of_run.items():
            values.setdefault(fact, set()).add(value)
    varying = {fact for fact, of_fact in values.items() if len(of_fact) > 1}
    recorded = {name: any(row.settings for row in rows) for name, rows in runs.items()}
    words = {}
    for name, of_run in facts.items():
        parts = [f"{fact} {value}" for fact, value in of_run.items() if fact in varying]
        words[name] = ", ".join(parts if recorded[name] or len(runs) < 2 else [*parts, _NOT_RECORDED])
    return words


def _facts(rows: Sequence[GainRow]) -> dict[str, str]:
    fitted = [row for row in rows if row.seed is not None]
    first = fitted[0]
    facts = {name: _value(value) for name, value in settings_in(first.settings).items()}
    facts["seeds"] = _value(sorted({row.seed for row in fitted if row.seed is not None}))
    facts |= {"training rows": f"{first.train_rows:,}", "test rows": f"{first.test_rows:,}"}
    versions = {row.arm: row.feature_version for row in fitted if row.feature_version is not None}
    return facts | {f"features of {arm}": version for arm, version in versions.items()}


def _value(value: object) -> str:
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)
