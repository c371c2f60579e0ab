"""user_histories → teacher_reccots: what a teacher writes about histories, committed as it comes; no Spark."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from typing import Any

from trackrec.runtime.errors import BadInputError
from trackrec.runtime.events import Stage
from trackrec.runtime.run import Run
from trackrec.tables.lake import Lake, Row
from trackrec.tables.quarantine import fault_row
from trackrec.training.teachers.interface import Teacher, TeacherText

_COMMIT = 64  # texts: what a killed job pays for twice at most, besides those in flight; after
_COMMIT_SECONDS = 60.0  # also fewer: of a large model on a CPU 64 texts can be twenty minutes
_HOPELESS = 32  # faults without one text after which the teacher is given up


def teacher_texts(run: Run, tables: Lake, stage: Stage, histories: Sequence[Row], teacher: Teacher) -> dict[str, str]:
    """prompt_key → text of those of ``histories`` that ``teacher`` has written about, asking it for what is missing.

    A history that it cannot write about goes to quarantine, and is tried again by the next run. Counts of ``stage``:
    texts, faults. Raises BadInputError where the teacher has failed 32 times (or on every history) and has not written
    one text.
    """
    stored = _stored(tables, teacher.version)
    keys = {row["prompt_key"] for row in histories}
    texts = {key: text for key, text in stored.items() if key in keys}
    missing = list({row["prompt_key"]: row for row in histories if row["prompt_key"] not in texts}.values())
    stage.counts |= {"texts": len(texts), "faults": 0}
    with closing(teacher.write(missing)) as answered:  # also where this fails: a model gives its memory back
        for answers in _batches(answered):
            written = [answer for answer in answers if answer.fault is None]
            faults = [answer for answer in answers if answer.fault is not None]
            _insert(tables, "teacher_reccots", [_text_row(text, teacher.version) | run.stamp() for text in written])
            _insert(tables, "quarantine", [_fault_row(fault, teacher.version) | run.stamp() for fault in faults])
            texts |= {text.history["prompt_key"]: text.text for text in written}
            stage.counts |= {"texts": len(texts), "faults": stage.counts["faults"] + len(faults)}
            if faults and not texts and stage.counts["faults"] >= min(_HOPELESS, len(missing)):
                raise _hopeless(teacher.version, stage.counts["faults"], faults[-1])
            stage.progress(len(texts) + stage.counts["faults"], len(keys), "histories")
    return texts


def _hopeless(version: str, faults: int, last: TeacherText) -> BadInputError:
    what = f"teacher {version} failed on {faults} histories and wrote about none; the last fault is {last.fault}."
    return BadInputError(what, "Look at distill.endpoint, or at distill.model.")


def _stored(tables: Lake, version: str) -> dict[str, str]:
    if not tables.exists("teacher_reccots"):
        return {}
    rows = tables.read_columns("teacher_reccots", ["prompt_key", "teacher_version", "text"]).to_pylist()
    return {row["prompt_key"]: row["text"] for row in rows if row["teacher_version"] == version}


def _batches(texts: Iterable[TeacherText]) -> Iterator[list[TeacherText]]:
    batch: list[TeacherText] = []
    began = time.monotonic()
    for text in texts:
        batch.append(text)
        if len(batch) >= _COMMIT or time.monotonic() - began >= _COMMIT_SECONDS:
            yield batch
            batch, began = [], time.monotonic()
    if batch:
        yield batch


def _insert(tables: Lake, table: str, rows: list[dict[str, Any]]) -> None:
    if rows:
        tables.insert_rows(table, rows)


def _text_row(text: TeacherText, version: str) -> dict[str, Any]:
    history = text.history
    return {
        "prompt_key": history["prompt_key"],
        "teacher_version": version,
        "user_id": history["user_id"],
        "text": text.text,
    }


def _fault_row(text: TeacherText, version: str) -> dict[str, Any]:
    history = text.history
    row = json.dumps({"prompt_key": history["prompt_key"], "teacher": version, "error": text.fault})
    reason = str(text.fault).split(":", 1)[0]
    return fault_row("teacher_reccots", reason=reason, user_id=history["user_id"], row=row)
