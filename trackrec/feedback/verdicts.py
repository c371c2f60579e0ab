"""What becomes of a history's group of candidates: kept as a preference, or dropped and why; no Spark."""

from __future__ import annotations

from collections.abc import Mapping

KEPT = "kept"
ALL_EMPTY = "all_empty"
ALL_CUT = "all_cut"  # those that are not empty were all ended by max_tokens
ONE_DISTINCT = "one_distinct"  # fewer than two distinct texts
NOT_SCORED = "not_scored"  # V answered none about a candidate, or other events than about another
FEW_EVENTS = "few_events"  # V answered fewer than feedback.min_events
ONE_LABEL = "one_label"  # the user liked all of these events or none, so there is no pair
SMALL_GAP = "small_gap"  # best and worst closer than feedback.min_gap, or alike but for length: V sees no difference
DROPPED = (ALL_EMPTY, ALL_CUT, ONE_DISTINCT, NOT_SCORED, FEW_EVENTS, ONE_LABEL, SMALL_GAP)


def count_name(verdict: str) -> str:
    """How the groups with this verdict are called among a stage's counts."""
    return f"groups {verdict}"


def groups_by_verdict(counts: Mapping[str, int]) -> dict[str, int]:
    """Verdict → groups, of the counts of a stage; verdicts without a group are left out."""
    return {verdict: counts[count_name(verdict)] for verdict in (KEPT, *DROPPED) if counts.get(count_name(verdict))}


def kept(counts: Mapping[str, int]) -> int:
    """How many groups a stage kept."""
    return groups_by_verdict(counts).get(KEPT, 0)


def dropped_text(counts: Mapping[str, int]) -> str:
    """How many groups were dropped for which reason, e.g. ``1 one_distinct, 3 small_gap``; ``none`` where none was."""
    groups = groups_by_verdict(counts)
    return ", ".join(f"{count} {verdict}" for verdict, count in groups.items() if verdict != KEPT) or "none"


def nothing_kept(counts: Mapping[str, int]) -> str:
    """Why there is nothing to align G to, and what to do, of the counts of a stage that kept no group."""
    return (
        f"V prefers no candidate: none of {sum(groups_by_verdict(counts).values())} groups was kept (dropped: "
        f"{dropped_text(counts)}). Lower feedback.min_gap, or judge on more events (feedback.next_events) or histories."
    )
