"""What a RecCoT says of the numbers in its prompt, and on which side it puts the attributes that it names.

For prompts of templates with shares (preference_v2, clicks_v2): what is true of them stands in ``user_histories``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from trackrec.histories.shares import Shares, percent
from trackrec.reccots.mentions import AttributeNames

NO_PREFERENCE = "no clear preference"  # how the statistics teacher, and who learned from it, says that none stands out
_USUAL = re.compile(r"(\d+) % of (?:the |their )?last (\d+)")
_EXPECTED = re.compile(r"(\d+) % of the next\b")
_COUNTED = re.compile(
    r"\b[Oo]f ([^().,;%]+?) (?:they (?:[\w'’-]+ ){1,5}?)?(?:only )?(?:(\d+) %|(none)) \((\d+) of (\d+)\)"
)


@dataclass(frozen=True)
class Claims:
    """Of a text: its numbers, a share with its counts being one, and its mentions of attributes; how many are right."""

    numbers: int
    right_numbers: int
    mentions: int
    on_their_side: int


def claims_of(text: str, shares: Shares, attributes: Iterable[str], titles: Sequence[str] = ()) -> Claims:
    """The claims of ``text`` about what its prompt shows, ``shares``.

    A number is right where it is the prompt's. A mention of one of ``attributes`` (those of the catalogue) is on its
    side where a liked or outlook clause names what is clearly above, or an avoided one what is clearly below; those in
    other clauses say nothing. ``titles``: as for ``parts_of``.
    """
    numbers, sides = list(_numbers(text, shares)), list(_sides(text, shares, attributes, titles))
    return Claims(len(numbers), sum(numbers), len(sides), sum(sides))


def _numbers(text: str, shares: Shares) -> Iterator[bool]:
    usual = percent(shares.liked, shares.events)
    for share, events in _USUAL.findall(text):
        yield (int(share), int(events)) == (usual, shares.events)
    for share in _EXPECTED.findall(text):
        yield int(share) == usual
    shown = {tally.attribute: tally for tally in (*shares.above, *shares.below)}
    for name, share, none, liked, total in _COUNTED.findall(text):
        tally = shown.get(name)
        said = 0 if none else int(share)
        yield tally is not None and (said, int(liked), int(total)) == (
            percent(tally.liked, tally.total),
            tally.liked,
            tally.total,
        )


def _sides(text: str, shares: Shares, attributes: Iterable[str], titles: Sequence[str]) -> Iterator[bool]:
    mentions = AttributeNames(attributes).mentions(text, titles)
    for names, side in ((mentions.liked, shares.above), (mentions.avoided, shares.below)):
        shown = {tally.attribute for tally in side}
        yield from (name in shown for name in names)
