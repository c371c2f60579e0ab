"""Which attributes a RecCoT says its user likes and avoids, and how far that speaks for an item: without a model."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from trackrec.reccots.parts import parts_of


class Mentions(NamedTuple):
    """Attributes of the catalogue that a text names, as often as it does."""

    liked: tuple[str, ...]  # in clauses of what is liked or should please next
    avoided: tuple[str, ...]

    def match(self, attributes: Iterable[str]) -> tuple[int, int]:
        """Of an item's attributes how many are liked, and how many avoided."""
        of_item = set(attributes)
        return len(of_item & {*self.liked}), len(of_item & {*self.avoided})


def mentions_of(text: str, attributes: Iterable[str], titles: Sequence[str] = ()) -> Mentions:
    """The mentions of ``attributes`` (those of the catalogue) in ``text``; ``titles``: as for ``parts_of``.

    A longer name is not read as the shorter one in it; capital letters count.
    """
    longest_first = sorted({name for name in attributes if name and name in text}, key=lambda name: (-len(name), name))
    if not longest_first:
        return Mentions((), ())
    names = re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, longest_first))})(?!\w)")
    parts = parts_of(text, titles)
    liked, avoided = (names.findall(part) for part in (f"{parts.liked}\n{parts.outlook}", parts.avoided))
    return Mentions(tuple(liked), tuple(avoided))
