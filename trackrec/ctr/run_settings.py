"""The settings that decide a run's figures, as text beside these in ``feature_gain``: two runs can be told apart."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from trackrec.runtime.settings import CtrSettings

# What the rows say themselves (backbone, arms, seeds, features), and what decides how long a run takes alone.
_NOT_IN_TEXT = {
    "backbone", "further_backbones", "arms", "seeds", "feature_version", "feature_versions", "description_source",
    "learning_curve", "threads", "processes",
}  # fmt: skip


def settings_text(settings: CtrSettings) -> str:
    """JSON, setting → value."""
    return settings.model_dump_json(exclude=_NOT_IN_TEXT)


def settings_in(text: str | None) -> Mapping[str, Any]:
    """The settings of a ``settings_text``; none of None, which rows of an earlier version have."""
    return dict(json.loads(text)) if text else {}
