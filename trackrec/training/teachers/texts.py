"""user_histories → teacher_reccots: what a teacher writes about histories, committed as it comes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from trackrec.histories.templates import Template
from trackrec.runtime.clock import utc_now
from trackrec.runtime.errors import BadInputError
from trackrec.runtime.ledger import Run
from trackrec.runtime.settings import DistillSettings
from trackrec.tables.lake import Lake
from trackrec.tables.quarantine import fault_row
from trackrec.training.teachers.interface import Taught, Teacher

Row = Mapping[str, Any]
_COMMIT = 64  # texts: what a killed job pays for twice at most, besides those in flight
_HOPELESS = 32  # faults without one text after which the teacher is given up


def teacher_of(settings: DistillSettings, template: Template) -> Teacher:
    """The teacher that the settings name. Raises BadInputError for openai without an endpoint or key."""
    if settings.teacher == "openai":
        if settings.endpoint is None:
            raise BadInputError("distill.teacher is openai, and there is no distill.endpoint.", "Give its model there.")
        from trackrec.training.teachers.openai import OpenAITeacher

        return OpenAITeacher(settings.endpoint, template)
    from trackrec.training.teachers.statistics import StatisticsTeacher

    return StatisticsTeacher(template)


def taught_texts(
    run: Run, lake: Lake, rows: Sequence[Row], teacher: Teacher, tell: Callable[[str], None]
) -> dict[str, str]:
    """prompt_key → text of those of ``rows`` that ``teacher`` has written about, asking it for what is missing.

    A row that it cannot write about goes to quarantine, and is asked for again by the next run. Raises BadInputError
    where the teacher has failed 32 times (or on every row) and has not written one text.
    """
    known = _stored(lake, teacher.version)
    missing = list({row["prompt_key"]: row for row in rows if row["prompt_key"] not in known}.values())
    texts = {row["prompt_key"]: known[row["prompt_key"]] for row in rows if row["prompt_key"] in known}
    wanted, faults = len(texts) + len(missing), 0
    for part in _batches(teacher.teach(missing), _COMMIT):
        good = [taught for taught in part if taught.fault is None]
        bad = [taught for taught in part if taught.fault is not None]
        stamp = {"run_id": run.run_id, "created_time": utc_now()}
        _insert(lake, "teacher_reccots", [_text_row(taught, teacher.version) | stamp for taught in good])
        _insert(lake, "quarantine", [_fault_row(taught, teacher.version) | stamp for taught in bad])
        texts |= {taught.row["prompt_key"]: taught.text for taught in good}
        faults += len(bad)
        if bad and not texts and faults >= min(_HOPELESS, len(missing)):
            raise BadInputError(
                f"teacher {teacher.version} failed on {faults} histories and wrote about none; the last fault is "
                f"{bad[-1].fault}.",
                "Look at distill.endpoint.",
            )
        tell(f"teacher: {len(texts)} of {wanted} histories" + (f", {faults} faults" if faults else ""))
    run.counts |= {"taught": len(texts), "teacher_faults": faults}
    return texts


def _stored(lake: Lake, version: str) -> dict[str, str]:
    if not lake.exists("teacher_reccots"):
        return {}
    rows = lake.read_columns("teacher_reccots", ["prompt_key", "teacher_version", "text"]).to_pylist()
    return {row["prompt_key"]: row["text"] for row in rows if row["teacher_version"] == version}


def _batches(taught: Iterator[Taught], size: int) -> Iterator[list[Taught]]:
    while part := list(islice(taught, size)):
        yield part


def _insert(lake: Lake, table: str, rows: list[dict[str, Any]]) -> None:
    if rows:
        lake.insert_rows(table, rows)


def _text_row(taught: Taught, version: str) -> dict[str, Any]:
    row = taught.row
    return {
        "prompt_key": row["prompt_key"],
        "teacher_version": version,
        "user_id": row["user_id"],
        "text": taught.text,
    }


def _fault_row(taught: Taught, version: str) -> dict[str, Any]:
    told = json.dumps({"prompt_key": taught.row["prompt_key"], "teacher": version, "error": taught.fault})
    reason = str(taught.fault).split(":", 1)[0]
    return fault_row("teacher_reccots", reason=reason, user_id=taught.row["user_id"], row=told)
