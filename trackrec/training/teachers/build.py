"""The teacher that the settings name."""

from __future__ import annotations

from trackrec.histories.templates import Template
from trackrec.runtime.errors import BadInputError
from trackrec.runtime.settings import DistillSettings, EndpointSettings
from trackrec.training.teachers.interface import Teacher
from trackrec.training.teachers.openai import OpenAITeacher, openai_version
from trackrec.training.teachers.statistics import StatisticsTeacher


def build_teacher(settings: DistillSettings, template: Template) -> Teacher:
    """The teacher that the settings name. Raises BadInputError for openai without an endpoint or key."""
    if settings.teacher == "openai":
        return OpenAITeacher(_endpoint(settings), template)
    return StatisticsTeacher(template)


def teacher_version(settings: DistillSettings, template: Template) -> str:
    """The version of that teacher; needs no key, as all of its texts may be there. BadInputError without endpoint."""
    if settings.teacher == "openai":
        return openai_version(_endpoint(settings), template)
    return StatisticsTeacher.version


def _endpoint(settings: DistillSettings) -> EndpointSettings:
    if settings.endpoint is None:
        raise BadInputError("distill.teacher is openai, and there is no distill.endpoint.", "Give its model there.")
    return settings.endpoint
