"""The teacher that the settings name."""

from __future__ import annotations

from trackrec.histories.templates import Template
from trackrec.runtime.errors import BadInputError
from trackrec.runtime.settings import DistillSettings
from trackrec.training.teachers.interface import Teacher


def build_teacher(settings: DistillSettings, template: Template) -> Teacher:
    """The teacher that the settings name. Raises BadInputError for openai without an endpoint or key."""
    if settings.teacher == "openai":
        if settings.endpoint is None:
            raise BadInputError("distill.teacher is openai, and there is no distill.endpoint.", "Give its model there.")
        from trackrec.training.teachers.openai import OpenAITeacher

        return OpenAITeacher(settings.endpoint, template)
    from trackrec.training.teachers.statistics import StatisticsTeacher

    return StatisticsTeacher(template)
