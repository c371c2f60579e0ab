"""Whether V has shown that it judges, before G is aligned to it; no Spark.

V's rewards rank what one user did next, so what counts is how V ranks within users on the hold-out (UAUC), by the lower
ends of the intervals over users, of whom at least ``ENOUGH_USERS`` must have both labels: above chance, better with the
user's own RecCoT than with another user's (else it judges items, not RecCoTs), and better than the offset alone (else
it has learned nothing beside it): that of the shares, or where an LLM stands beside a reader what the two give.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from trackrec.feedback.metrics import ENOUGH_USERS, OFFSET, READER, SHUFFLED, is_above_zero
from trackrec.runtime.events import FigureTable

CHANCE = 0.5  # UAUC of a V that knows nothing
_READS = (
    "V reads the RecCoTs: with another user's its answers move as the two name the item's attributes ({figures}). So "
    "what they say is worth too little for this hold-out to show: measure on more events (loop.holdout_samples), or "
    "let the histories say more (histories.last_n). "
)
_DOES_NOT_READ = (
    "V has not shown that it reads the RecCoTs: with another user's its answers do not move as the two name the item's "
    "attributes ({figures}). Let it learn from a reader that counts (tune.targets=reader) or on more events "
    "(tune.max_examples, more users or smaller histories.every_n), take a larger V (validator.model), or measure on "
    "more events (loop.holdout_samples). "
)
_NOT_KNOWN = (
    "Tune V on more events (tune.max_examples, more users or smaller histories.every_n), take a larger V "
    "(validator.model), or measure on more events (loop.holdout_samples). "
)
_ALL_THE_SAME = "loop.gate=report aligns all the same."


@dataclass(frozen=True)
class Bound:
    """One thing that V has to show: a figure whose 95 % interval over enough ``users`` must lie above 0."""

    name: str  # above_chance, own_minus_shuffled or v_minus_offset
    meaning: str
    value: float
    low: float
    users: float  # with both labels

    @property
    def holds(self) -> bool:
        """Whether the interval lies above 0; one that is not a number does not, nor one over few users."""
        return is_above_zero(self.low, self.users)

    @property
    def text(self) -> str:
        """E.g. ``UAUC minus .5: +0.0120, at least -0.0030``."""
        if self.low != self.low:
            return f"{self.meaning} has no interval (too few users with both labels)"
        if self.users < ENOUGH_USERS:
            return f"{self.meaning}: {self.value:+.4f}, but only {self.users:.0f} users with both labels"
        return f"{self.meaning}: {self.value:+.4f}, at least {self.low:+.4f}"


def bounds_of(tables: Mapping[str, FigureTable], generator: str) -> tuple[Bound, ...]:
    """What the hold-out says of a V that was shown the RecCoTs of ``generator`` (a row of the tables, e.g. ``G_0``).

    ``tables``: validator and differences, as ``stages/measure.py`` makes them. The offset's bound is there only where V
    starts at one.
    """
    own = tables["validator"][generator]
    rows = tables["differences"]
    beside = ("v_minus_offset", "UAUC of V minus that of the offset alone", OFFSET)
    if READER in rows:
        beside = ("v_minus_offset", "UAUC of V minus that of the reader alone", READER)
    bounds = [Bound("above_chance", "UAUC minus .5", own["uauc"] - CHANCE, own["uauc_low"] - CHANCE, own["users"])]
    for name, meaning, other in (
        ("own_minus_shuffled", "UAUC with the own RecCoT minus with another user's", SHUFFLED),
        beside,
    ):
        if other in rows:
            row = rows[other]
            bounds.append(Bound(name, meaning, row["uauc"], row["uauc_low"], row["users"]))
        elif other == SHUFFLED:
            bounds.append(Bound(name, meaning, float("nan"), float("nan"), 0.0))
    return tuple(bounds)


def passed(bounds: tuple[Bound, ...]) -> bool:
    """Whether all of them hold."""
    return all(bound.holds for bound in bounds)


def sentence(bounds: tuple[Bound, ...], number: int, reading: Mapping[str, float] | None = None) -> str:
    """Why round ``number`` may align G, or which bounds keep it from that and what to do.

    ``reading``: the row of differences from another's RecCoTs, which says whether V reads.
    """
    judge = f"V_{number - 1}"
    if passed(bounds):
        return f"Round {number}: {judge} has shown that it judges: {'; '.join(bound.text for bound in bounds)}."
    missed = "; ".join(bound.text for bound in bounds if not bound.holds)
    remedies = _remedies(bounds, reading or {})
    return f"Round {number}: {judge} has not shown that it judges: {missed}. {remedies}{_ALL_THE_SAME}"


def _remedies(bounds: tuple[Bound, ...], reading: Mapping[str, float]) -> str:
    """What to do, by whether V reads; also where too few RecCoTs name an attribute to tell."""
    low, users = reading.get("reading_low", float("nan")), reading.get("reading_users", 0.0)
    if low != low or users < ENOUGH_USERS:
        return _NOT_KNOWN
    figures = f"correlation {reading['reading']:+.2f}, at least {low:+.2f}"
    if not is_above_zero(low, users):
        return _DOES_NOT_READ.format(figures=figures)
    own_is_worth_nothing = any(bound.name == "own_minus_shuffled" and not bound.holds for bound in bounds)
    return _READS.format(figures=figures) if own_is_worth_nothing else _NOT_KNOWN


def closing(number: int, rounds: int) -> str:
    """What follows where a round aligns nothing: G stays, and later rounds would ask the same V the same question."""
    later = f"; rounds {number + 1} to {rounds} would ask the same V again" if rounds > number + 1 else ""
    later = f"; round {rounds} would ask the same V again" if rounds == number + 1 else later
    return f"G_{number - 1} is kept and the loop ends here{later}."
