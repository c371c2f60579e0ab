"""Which attributes a RecCoT says its user likes and avoids, and how many of an item's: without a model."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from trackrec.reccots.parts import parts_of

_WORD = re.compile(r"\w+")


class Mentions(NamedTuple):
    """Attributes of the catalogue that a text names, as often as it does."""

    liked: tuple[str, ...]  # in clauses of what is liked or should please next
    avoided: tuple[str, ...]

    def of_item(self, attributes: Iterable[str]) -> tuple[int, int]:
        """How many of an item's attributes are named as liked, and how many as avoided."""
        of_item = set(attributes)
        return len(of_item & {*self.liked}), len(of_item & {*self.avoided})


class AttributeNames:
    """The attributes of a catalogue, looked for in texts as whole words, the longest first; capital letters count.

    They are found by their first word, so that a text is not searched for each of them.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self._by_word: dict[str, list[str]] = defaultdict(list)
        for name in sorted(set(names)):
            first = _WORD.search(name)
            if first:
                self._by_word[first.group()].append(name)

    def mentions(self, text: str, titles: Sequence[str] = ()) -> Mentions:
        """What ``text`` names on either side; ``titles``: as for ``parts_of``."""
        candidates = {name for word in set(_WORD.findall(text)) for name in self._by_word.get(word, ())}
        if not candidates:
            return Mentions((), ())
        longest_first = sorted(candidates, key=lambda name: (-len(name), name))
        names = re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, longest_first))})(?!\w)")
        parts = parts_of(text, titles)
        liked, avoided = (names.findall(part) for part in (f"{parts.liked}\n{parts.outlook}", parts.avoided))
        return Mentions(tuple(liked), tuple(avoided))
