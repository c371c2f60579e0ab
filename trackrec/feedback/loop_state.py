"""One loop of G and V: what it is known by, and which of its steps are finished, in a file beside its models; no Spark.

A loop is known by its settings, its data and its teacher: with next month's log it is another loop, that begins anew.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trackrec.runtime.events import FigureTable, Outcome
from trackrec.runtime.settings import Settings

# Of a loop's identity: these sections decide none of its outcomes.
_NO_PART = {"log", "ctr", "describe", "env", "spark_conf", "train"}
_LENGTH_OF_LOOP = {"rounds", "gate"}  # of settings.loop: they decide how many steps there are, and the outcome of none


@dataclass(frozen=True, order=True)
class LoopStep:
    """One step of a loop, e.g. align of round 1.

    ``kind``: distill, greedy, tuning_samples, tune, tune counterpart, measure, gate, candidates, validate, align.
    Ordered by round, then by name: not the order in which they run.
    """

    round: int
    kind: str

    def __str__(self) -> str:
        return f"{self.kind} {self.round}"


class LoopState:
    """The outcomes of the finished steps of one loop, written down as they are finished."""

    def __init__(self, path: Path, settings_digest: str, sequence: int) -> None:
        self.path = path
        self.settings_digest = settings_digest
        self.sequence = sequence  # larger than that of every loop of these settings that was begun or continued before
        self.outcomes: dict[LoopStep, Outcome] = {}

    @property
    def name(self) -> str:
        """16 hex digits over its settings and its data, by which ``model_versions`` calls it."""
        return self.path.stem

    def record(self, step: LoopStep, outcome: Outcome) -> None:
        """Write ``outcome`` down as that of ``step``; the file is replaced as a whole."""
        self.outcomes[step] = outcome
        self.save()

    def save(self) -> None:
        """Write the state to its file; a reader sees the old or the new one."""
        rows = [_row(step, outcome) for step, outcome in self.outcomes.items()]
        content = {"settings": self.settings_digest, "sequence": self.sequence, "steps": rows}
        self.path.parent.mkdir(parents=True, exist_ok=True)
        scratch = self.path.with_suffix(".tmp")
        scratch.write_text(json.dumps(content, indent=1, allow_nan=False))
        os.replace(scratch, self.path)

    def of_kind(self, kind: str) -> dict[int, Outcome]:
        """Round → outcome of the finished steps of this kind, in the order of rounds."""
        return {step.round: self.outcomes[step] for step in sorted(self.outcomes) if step.kind == kind}


def aligned_windows(settings: Settings) -> Settings:
    """The loop needs the snapshots of the alignment window only."""
    histories = settings.histories.model_copy(update={"windows": ("alignment",), "policy": "every_n_events"})
    return settings.model_copy(update={"histories": histories})


def settings_digest(settings: Settings) -> str:
    """16 hex digits over the settings that decide a loop's outcomes.

    Of the section ``loop`` all but ``rounds`` and ``gate``: how far the loop is to go decides no step that it has gone.
    Asked for one more round, or to align whatever the gate says, it goes on.
    """
    loop = settings.loop.model_dump(mode="json", exclude=_LENGTH_OF_LOOP)
    others = aligned_windows(settings).model_dump(mode="json", exclude={*_NO_PART, "loop"})
    return _digest(others | {"loop": loop})


def open_loop(settings: Settings, data: Mapping[str, str]) -> LoopState:
    """The state of the loop of these settings and ``data`` (name → digest or version), begun or continued now."""
    digest = settings_digest(settings)
    folder = _folder(settings)
    path = folder / f"{_digest({'settings': digest, 'data': dict(data)})}.json"
    others = [state.sequence for state in _states(folder, digest) if state.path != path]
    state = _read(path) or LoopState(path, digest, 0)
    state.sequence = max([state.sequence, *(sequence + 1 for sequence in others)])
    state.save()
    return state


def newest_loop(settings: Settings) -> LoopState | None:
    """The loop of these settings that was begun or continued last, whatever its data; None where there is none."""
    states = _states(_folder(settings), settings_digest(settings))
    return max(states, key=lambda state: state.sequence, default=None)


def _folder(settings: Settings) -> Path:
    return Path(settings.models).resolve() / "loops"


def _states(folder: Path, digest: str) -> Iterator[LoopState]:
    for path in sorted(folder.glob("*.json")):
        state = _read(path)
        if state is not None and state.settings_digest == digest:
            yield state


def _read(path: Path) -> LoopState | None:
    """The state in a file; None where there is no file, or one of an earlier version, which named no settings."""
    if not path.is_file():
        return None
    content = json.loads(path.read_text())
    if "steps" not in content:
        return None
    state = LoopState(path, content["settings"], content["sequence"])
    for row in content["steps"]:
        state.outcomes[LoopStep(row["round"], row["step"])] = _outcome(row)
    return state


def _row(step: LoopStep, outcome: Outcome) -> dict[str, Any]:
    return {
        "step": step.kind,
        "round": step.round,
        "stage": outcome.stage,
        "counts": dict(outcome.counts),
        "figures": _without_nan(outcome.figures),
        "labels": dict(outcome.labels),
        "tables": {
            name: {row: _without_nan(figures) for row, figures in table.items()}
            for name, table in outcome.tables.items()
        },
        "seconds": round(outcome.seconds, 1),
    }


def _outcome(row: Mapping[str, Any]) -> Outcome:
    tables: dict[str, FigureTable] = {
        name: {key: _with_nan(figures) for key, figures in table.items()} for name, table in row["tables"].items()
    }
    return Outcome(row["stage"], row["counts"], _with_nan(row["figures"]), row["labels"], row["seconds"], tables)


def _without_nan(figures: Mapping[str, float]) -> dict[str, float | None]:
    """For JSON, which knows no NaN."""
    return {name: value if math.isfinite(value) else None for name, value in figures.items()}


def _with_nan(figures: Mapping[str, float | None]) -> dict[str, float]:
    return {name: float("nan") if value is None else value for name, value in figures.items()}


def _digest(content: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]
