"""The teacher that the settings name."""

from __future__ import annotations

from pathlib import Path

from trackrec.histories.templates import Template
from trackrec.runtime.errors import BadInputError
from trackrec.runtime.settings import DistillSettings, EndpointSettings, TeacherModelSettings
from trackrec.training.teachers.interface import Teacher
from trackrec.training.teachers.model import ModelTeacher, model_teacher_version
from trackrec.training.teachers.openai import OpenAITeacher, openai_version
from trackrec.training.teachers.statistics import statistics_teacher, statistics_version


def build_teacher(settings: DistillSettings, template: Template, cache: Path) -> Teacher:
    """The teacher that the settings name; weights are fetched into ``cache``.

    Raises BadInputError for openai without an endpoint or key, for model without one that can be had.
    """
    if settings.teacher == "openai":
        return OpenAITeacher(_endpoint(settings), template)
    if settings.teacher == "model":
        return ModelTeacher(_model(settings), template, cache)
    return statistics_teacher(template)


def teacher_version(settings: DistillSettings, template: Template, cache: Path) -> str:
    """The version of that teacher; needs no key, as all of its texts may be there. BadInputError without endpoint.

    A model's is over its weights, which are fetched into ``cache``.
    """
    if settings.teacher == "openai":
        return openai_version(_endpoint(settings), template)
    if settings.teacher == "model":
        return model_teacher_version(_model(settings), template, cache)
    return statistics_version(template)


def _endpoint(settings: DistillSettings) -> EndpointSettings:
    if settings.endpoint is None:
        raise BadInputError("distill.teacher is openai, and there is no distill.endpoint.", "Give its model there.")
    return settings.endpoint


def _model(settings: DistillSettings) -> TeacherModelSettings:
    if settings.model is None:
        raise BadInputError(
            "distill.teacher is model, and there is no distill.model.",
            "Give its weights: --set distill.model.source=hub:<org>/<name>.",
        )
    return settings.model
