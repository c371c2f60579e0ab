"""How long a warehouse keeps what it no longer needs."""

from __future__ import annotations

from pydantic import Field

from trackrec.runtime.settings.section import Section


class MaintenanceSettings(Section):
    """What ``jobs/maintain.py`` leaves."""

    # Files of older table versions: who reads one, or goes back to it (RESTORE), needs them. Delta refuses less than 7.
    retention_days: int = Field(7, ge=7)
