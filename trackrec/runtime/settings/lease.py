"""How one run at a time holds a warehouse."""

from __future__ import annotations

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from trackrec.runtime.settings.section import Section


class LeaseSettings(Section):
    """The heartbeat of the run that writes; seconds."""

    heartbeat_seconds: float = Field(120.0, gt=0)  # each is a commit to a table of one row
    stale_seconds: float = Field(600.0, gt=0)  # without a heartbeat: then another run may take over

    @model_validator(mode="after")
    def _outlives_a_beat(self) -> LeaseSettings:
        if self.stale_seconds < 2 * self.heartbeat_seconds:
            remedy = {"remedy": "Set lease.stale_seconds to twice lease.heartbeat_seconds or more."}
            raise PydanticCustomError("lease", "a run would be taken for dead between two heartbeats", remedy)
        return self
