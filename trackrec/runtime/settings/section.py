"""What every section of the settings is made of: no unknown keys, no changes after loading, times in UTC."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict


def _utc(time: datetime) -> datetime:
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)


# Aware, for PySpark reads a naive datetime in the machine's own time zone. Without an offset UTC is meant.
UtcTime = Annotated[datetime, AfterValidator(_utc)]


class Section(BaseModel):
    """A part of the tree. An unknown key is an error, and nothing is changed after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True)
