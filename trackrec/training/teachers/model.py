"""A teacher that is a larger LLM of its own, run in this process and without Spark by the engines' interface.

It is asked what G is asked, in the same words: a template whose question suits the teacher is a setting of the prompt.
"""

from __future__ import annotations

import hashlib
from collections.abc import Generator, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from trackrec.engines.build import build_engine
from trackrec.engines.interface import Finished, Request
from trackrec.engines.pump import pump
from trackrec.engines.spec import EngineSpec, compute_of
from trackrec.histories.templates import Template
from trackrec.models.resolve import resolve
from trackrec.runtime.settings import TeacherModelSettings
from trackrec.training.teachers.interface import TeacherText, read_text


def model_teacher_version(settings: TeacherModelSettings, template: Template, cache: Path) -> str:
    """``model:<name>@<hash>+<compute>@<hash>``: weights, what computes them, template and sampling. As ``resolve``."""
    return _version(settings, _spec(settings, template, cache), template)


class ModelTeacher:
    """Writes greedily behind the template's opening; weights are fetched at once, loaded when there is work."""

    def __init__(self, settings: TeacherModelSettings, template: Template, cache: Path) -> None:
        """Raises BadInputError where the weights cannot be had."""
        self._spec = _spec(settings, template, cache)
        self.version = _version(settings, self._spec, template)

    def write(self, histories: Sequence[Mapping[str, Any]]) -> Generator[TeacherText]:
        """One text or fault a history, as they finish; a text cut at ``max_tokens`` keeps its whole sentences.

        The engine is closed behind the last one, so that a training finds the memory free.
        """
        if not histories:
            return
        rows = {str(row["prompt_key"]): row for row in histories}
        engine = build_engine(self._spec)
        try:
            for finished in pump(iter([rows.items()]), engine, self._requests, self._spec.high_water):
                yield self._text(rows[finished.key], finished)
        finally:
            engine.close()

    def _requests(self, rows: Iterable[tuple[str, Mapping[str, Any]]]) -> Generator[Request]:
        for key, row in rows:
            yield Request(key, row["prompt_body"], self._spec.opening, 0)  # greedy: no seed is used

    def _text(self, row: Mapping[str, Any], finished: Finished) -> TeacherText:
        if finished.error is not None:
            return TeacherText(row, fault=finished.error)
        sample = finished.completions[0]
        text, fault = read_text(sample.text, self._spec.opening, sample.finish_reason)
        return TeacherText(row, fault=fault) if fault else TeacherText(row, text)


def _spec(settings: TeacherModelSettings, template: Template, cache: Path) -> EngineSpec:
    return EngineSpec.for_teacher(settings, resolve(settings, cache), template.opening)


def _version(settings: TeacherModelSettings, spec: EngineSpec, template: Template) -> str:
    asked = f"{template.version} {spec.sampling.canonical()}"
    digest = hashlib.sha256(asked.encode()).hexdigest()[:12]
    return f"model:{spec.model.version}+{compute_of(settings)}@{digest}"
