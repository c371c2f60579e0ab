"""What G writes about items."""

from __future__ import annotations

from pydantic import Field

from trackrec.runtime.settings.section import Section


class DescribeSettings(Section):
    """Descriptions of items. Model, engine and all other sampling parameters are those of ``generator``."""

    template: str = "description_v1"
    max_tokens: int = Field(96, ge=1)  # two sentences are 40 to 80
    items_of_log: bool = True  # only items that some user met; false: the whole catalogue
    max_items: int | None = Field(None, ge=1)  # this many of them, those with most events first; None: all
