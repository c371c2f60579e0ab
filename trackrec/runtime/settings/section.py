"""What every section of the settings is made of: no unknown keys, no changes after loading, times in UTC."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict
from pydantic_core import PydanticCustomError

_NUMBER = re.compile(r"\s*[+-]?[\d_.]+\s*")


def _utc(time: datetime) -> datetime:
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)


def _no_number(given: object) -> object:
    """pydantic reads a number as epoch seconds: 20260131 would be in August 1970."""
    if isinstance(given, int | float) or (isinstance(given, str) and _NUMBER.fullmatch(given)):
        remedy = {"remedy": "Write 2026-01-31, or 2026-01-31T06:00:00 (UTC)."}
        raise PydanticCustomError("number_for_time", "Input should be a day or a time, not a number", remedy)
    return given


# Aware, for PySpark reads a naive datetime in the machine's own time zone. Without an offset UTC is meant.
UtcTime = Annotated[datetime, BeforeValidator(_no_number), AfterValidator(_utc)]


T = TypeVar("T")


def _distinct(values: tuple[T, ...]) -> tuple[T, ...]:
    twice = next((value for place, value in enumerate(values) if value in values[:place]), None)
    if twice is not None:
        message, remedy = "Input should have each value once, {twice} stands in it twice", "Take one of both out."
        raise PydanticCustomError("duplicate", message, {"twice": str(twice), "remedy": remedy})
    return values


Distinct = Annotated[tuple[T, ...], AfterValidator(_distinct)]  # a list in which no value stands twice


class Section(BaseModel):
    """A part of the tree. An unknown key is an error, and nothing is changed after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True)
