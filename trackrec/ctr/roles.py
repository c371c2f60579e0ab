"""What each arm of the experiment is there for: the baseline, the controls, and what is under test."""

from __future__ import annotations

PLAIN = "plain"  # no features; the others' gains are measured against it
PLANTED = "planted"  # positive control: a signal of known worth, which the instrument must find
PERMUTED = "permuted"  # negative control: RecCoTs of other users, the same geometry without the user's content
TALLIES = "tallies"  # the counts that a RecCoT is written from, as numbers
FACTS = "facts"  # the vector of the prompt's facts, which every RecCoT arm has too, without any RecCoT
TEACHER = "teacher"  # true texts of the statistics teacher, written without an LLM
WITHOUT_ITEM_TEXT = "without_item_text"  # plain without the catalogue: what the item side is worth
RECCOT = "reccot"
ITEM_DESCRIPTION = "item_description"

CONTROLS = (WITHOUT_ITEM_TEXT, PLANTED, PERMUTED, TALLIES, FACTS, TEACHER)
RIVALS = (PERMUTED, TALLIES, FACTS)  # what RecCoTs must beat for their texts to count
ORDER = (PLAIN, *CONTROLS, RECCOT, ITEM_DESCRIPTION)  # as tables and plots list them; feature versions after these


def ordered(arms: set[str]) -> list[str]:
    """The arms in the order of tables and plots: plain, controls, what is under test, other feature versions."""
    return sorted(arms, key=lambda arm: (ORDER.index(arm) if arm in ORDER else len(ORDER), arm))
