"""A teacher without a model: it says what the numbers of a prompt show, and is true by construction.

Evidence first, then the verdict that follows from it, then the outlook, always in the same words: what differs between
two texts is what differs between two users. Every number stands in the prompt, so that a small model can copy it, and
what stands out is read off the history (``histories.contents``), not judged here. In the form before this one titles
and wording were drawn by lot and the verdict stood before its evidence: docs/decisions/0010.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from typing import Any

from trackrec.histories.shares import COLUMNS, Shares, Tally, percent, shares_of
from trackrec.histories.templates import Template
from trackrec.runtime.errors import BadInputError
from trackrec.training.teachers.interface import TeacherText
from trackrec.training.teachers.tallies import TalliesTeacher

# Attributes a side in the verdict: whoever reads four learns a fifth more than of two. Of the clearest the counts are
# said too: of two a side the longest texts of MovieLens-100k have 172 tokens of SmolLM2 (median 95), of one 131 (76).
_NAMED = 4


class StatisticsTeacher:
    """``reccot`` for rows of ``user_histories`` that a template with shares made.

    Raises BadInputError for a template without shares, whose prompts do not show what this teacher says, and for one
    whose answers do not begin in its words.
    """

    version = "statistics@5"  # counts up when the words below change
    columns = COLUMNS  # of user_histories that it reads

    def __init__(self, template: Template) -> None:
        if not template.shows_shares:
            raise BadInputError(
                f"the statistics teacher says what prompts of {template.name} do not show: shares of likes.",
                "Set prompt.template to preference_v2 (clicks: clicks_v2) and build the histories anew, or "
                "distill.teacher=openai or model.",
            )
        if template.opening != f"They {template.liked}":
            raise BadInputError(
                f"the statistics teacher writes English that begins with 'They {template.liked}', and prompt.opening "
                f"is {template.opening!r}.",
                "Leave prompt.opening and prompt.language to the template, or set distill.teacher=openai or model.",
            )
        self._template = template

    def write(self, histories: Sequence[Mapping[str, Any]]) -> Generator[TeacherText]:
        """One text a history, and no fault."""
        for row in histories:
            yield TeacherText(row, self.text(row))

    def text(self, row: Mapping[str, Any]) -> str:
        """The RecCoT about a row of ``user_histories``: shown_events, shown_liked, above, below."""
        return reccot(shares_of(row), self._template)


def statistics_teacher(template: Template) -> StatisticsTeacher | TalliesTeacher:
    """The teacher without a model for histories that ``template`` made: of its shares, where it shows these.

    Raises BadInputError as ``StatisticsTeacher``.
    """
    return StatisticsTeacher(template) if template.shows_shares else TalliesTeacher(template)


def statistics_version(template: Template) -> str:
    """The version of ``statistics_teacher``, whatever words the template has."""
    return StatisticsTeacher.version if template.shows_shares else TalliesTeacher.version


def reccot(shares: Shares, template: Template) -> str:
    """A RecCoT of three to five sentences that begins with "They liked"; the same shares give the same text."""
    above, below = shares.above[:_NAMED], shares.below[:_NAMED]
    share = f"{percent(shares.liked, shares.events)} %"
    evidence = [f"They {template.liked} {share} of their last {shares.events} {template.item_noun}."]
    clearest = ((side[0], only) for side, only in ((above, ""), (below, "only ")) if side)
    evidence += [f"{_counted(tally, template.liked, only)}." for tally, only in clearest]
    if not above and not below:
        verdict = f"Their {template.attribute_noun} all lie near that share, so there is no clear preference."
        return " ".join([*evidence, verdict, f"Expect about {share} of the next {template.item_noun} to please."])
    return " ".join([*evidence, _verdict(above, below), _outlook(above, below, template.item_noun)])


def _counted(tally: Tally, liked: str, only: str) -> str:
    """As the prompt has it, "80 % (16 of 20)": counts that took a sum were right in .12 of a 135 M G's texts."""
    share = f"{only}{percent(tally.liked, tally.total)} %" if tally.liked else "none"
    return f"Of {tally.attribute} they {liked} {share} ({tally.liked} of {tally.total})"


def _verdict(above: Sequence[Tally], below: Sequence[Tally]) -> str:
    parts = [f"prefer {_names(above)}"] if above else []
    parts += [f"are less drawn to {_names(below)}"] if below else []
    return f"They {' and '.join(parts)}."


def _outlook(above: Sequence[Tally], below: Sequence[Tally], item_noun: str) -> str:
    """Begins with a word of its own: ``reccots.parts`` ends a sentence before capitals; attributes may have none."""
    if not above:
        return f"Next, other {item_noun} should suit them as usual; {below[0].attribute} is a risk."
    risk = f"; {below[0].attribute} is a risk" if below else ""
    return f"Next, {above[0].attribute} should suit them{risk}."


def _names(tallies: Sequence[Tally]) -> str:
    *others, last = (t.attribute for t in tallies)
    return f"{', '.join(others)} and {last}" if others else last
