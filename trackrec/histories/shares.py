"""What a prompt with shares shows of a user's newest events, and which attributes stand out in it: without Spark.

``histories.contents`` counts, ``histories.prompts`` words it; teachers and checks of texts read it here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

PRIOR_EVENTS = 4  # at the usual share, that an attribute's share is shrunk by
FEWEST_EVENTS = 3  # of an attribute that may stand out
COLUMNS = ("shown_events", "shown_liked", "above", "below")  # of user_histories


@dataclass(frozen=True)
class Tally:
    """How often items with this attribute were liked and not."""

    attribute: str
    liked: int
    disliked: int

    @property
    def total(self) -> int:
        """Events with this attribute."""
        return self.liked + self.disliked

    def lift(self, share: float) -> float:
        """Likes beyond what a share of likes would give."""
        return self.liked - share * self.total


@dataclass(frozen=True)
class Shares:
    """How many of the newest events were liked, and the attributes clearly above and below that, the clearest first."""

    liked: int
    events: int
    above: Sequence[Tally]
    below: Sequence[Tally]


def shares_of(row: Mapping[str, Any]) -> Shares:
    """The shares in a row of ``user_histories`` (COLUMNS) whose template shows them."""
    above, below = (
        [Tally(t["attribute"], t["liked"], t["disliked"]) for t in row[side]] for side in ("above", "below")
    )
    return Shares(int(row["shown_liked"]), int(row["shown_events"]), above, below)


def percent(liked: int, events: int) -> int:
    """A share in whole per cent, rounded half up, as the prompt has it."""
    return (200 * liked + events) // (2 * events)
