"""Which snapshots are taken, what a prompt shows of them, and the gates that rows pass before publishing."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from trackrec.runtime.errors import BadInputError
from trackrec.runtime.settings.section import Section, UtcTime


class QualitySettings(Section):
    """Gates before publishing. All are shares between 0 and 1."""

    max_quarantine_share: float = Field(0.05, ge=0, le=1)
    min_coverage: float = Field(0.9, ge=0, le=1)  # histories with a vector / histories of the run
    max_duplicate_share: float = Field(0.5, ge=0, le=1)  # RecCoTs that repeat the text of another history


class HistorySettings(Section):
    """Which snapshots are taken, and how much of a history a prompt shows."""

    policy: Literal["every_n_events", "nightly"] = "every_n_events"
    every_n: int = Field(10, ge=1)
    windows: tuple[str, ...] = ("ctr_train", "ctr_validation", "ctr_test")  # snapshots that a sample of these joins
    as_of: UtcTime | None = None  # nightly: the night (UTC); nothing at or after it is seen
    # A published snapshot that a late event or a corrected title would change stays as it was read; True: it changes
    rewrite_past: bool = False
    full: bool = False  # nightly: read the log of all users, not only of those with news since the last night
    # More items than these are shuffled to the events and not sent to every executor whole, where 1 million took 2.9 GB
    max_broadcast_items: int = Field(200_000, ge=0)
    max_lag_days: float = Field(1.0, ge=0)  # nightly: from the log's newest event to as_of; a later night is bad input
    last_n: int = Field(50, ge=1)  # newest events that lists and tallies are made of
    listed: int = Field(8, ge=1)  # titles a list, liked and disliked each
    tallied: int = Field(8, ge=0)  # attributes in the tally, most frequent first
    max_title_chars: int = Field(80, ge=8)  # of a title, in the prompts of G and of V alike
    max_users: int | None = Field(None, ge=1)  # RecCoTs for this many users, chosen by hash; None: all

    def night(self) -> datetime:
        """``as_of``, which policy nightly needs: aware, UTC. BadInputError where no setting gives it.

        Called before Spark starts, not when settings are loaded: conf/cluster.yaml leaves the night to ``--set``.
        """
        if self.as_of is None:
            raise BadInputError("policy nightly needs a night.", "Add --set histories.as_of=2026-01-31 (UTC).")
        return self.as_of

    @property
    def only_night(self) -> datetime | None:
        """``night()`` under policy nightly; None under another, where snapshots are of many times."""
        return self.night() if self.policy == "nightly" else None


class WindowSettings(Section):
    """Alignment < CTR train < CTR validation < CTR test, by event_time.

    Where the log carries a split and no boundaries are given, the last two are its own (histories/splits.py).
    """

    boundaries: tuple[UtcTime, UtcTime, UtcTime] | None = None  # first instants of the last three windows, UTC
    fractions: tuple[float, float, float, float] = (0.5, 0.3, 0.1, 0.1)  # used where boundaries are not given


class PromptSettings(Section):
    """Words of the prompt; changing one changes the template version and so every prompt_key."""

    template: str = "preference_v1"
    item_noun: str = "items"
    attribute_noun: str = "attributes"
    # None: the template's own. {items} and {attributes} stand for the nouns. Only the lead may name the fences <<< and
    # >>> between which the history stands.
    lead: str | None = None  # what stands before the history
    question: str | None = None  # what is asked about it
    opening: str | None = None  # how the answer begins; "": as the model likes
    liked: str | None = None  # what is said of items of label 1: liked, clicked, bought
    not_liked: str | None = None  # of those of label 0: disliked, passed over
    # Of the answer, e.g. German: the question asks for it, and the opening should follow. Only English texts are parted
    # into liked, avoided and outlook.
    language: str | None = None
