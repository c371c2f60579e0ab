"""Which attributes a RecCoT says its user likes and avoids, and how many of an item's: without a model."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from trackrec.histories.whole_words import WholeWords
from trackrec.reccots.parts import parts_of


class Mentions(NamedTuple):
    """Attributes of the catalogue that a text names, as often as it does."""

    liked: tuple[str, ...]  # in clauses of what is liked or should please next
    avoided: tuple[str, ...]

    def of_item(self, attributes: Iterable[str]) -> tuple[int, int]:
        """How many of an item's attributes are named as liked, and how many as avoided."""
        of_item = set(attributes)
        return len(of_item & {*self.liked}), len(of_item & {*self.avoided})


class AttributeNames:
    """The attributes of a catalogue, looked for in the parts of texts as ``WholeWords`` are."""

    def __init__(self, names: Iterable[str]) -> None:
        self._names = WholeWords(names)

    def mentions(self, text: str, titles: Sequence[str] = ()) -> Mentions:
        """What ``text`` names on either side; ``titles``: as for ``parts_of``."""
        parts = parts_of(text, titles)
        liked, avoided = (self._names.within(part) for part in (f"{parts.liked}\n{parts.outlook}", parts.avoided))
        return Mentions(tuple(liked), tuple(avoided))
