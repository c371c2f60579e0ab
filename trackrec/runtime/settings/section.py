"""What every section of the settings is made of: no unknown keys, no changes after loading, times in UTC."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated

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


class Section(BaseModel):
    """A part of the tree. An unknown key is an error, and nothing is changed after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True)
