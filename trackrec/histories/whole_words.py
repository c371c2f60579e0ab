"""Names looked for in texts as whole words."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable

_WORD = re.compile(r"\w+")


class WholeWords:
    """Names of a catalogue that are looked for in texts, the longest first; capital letters count.

    They are found by their first word, so that a text is not searched for each of them.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self._by_word: dict[str, list[str]] = defaultdict(list)  # "": names without a letter or a digit
        for name in {*names} - {""}:
            first = _WORD.search(name)
            self._by_word[first.group() if first else ""].append(name)

    def within(self, text: str) -> list[str]:
        """The names in ``text``, as often as they stand there; of "Heat 2" that and not "Heat"."""
        candidates = {name for word in ("", *_WORD.findall(text)) for name in self._by_word.get(word, ())}
        if not candidates:
            return []
        longest_first = sorted(candidates, key=lambda name: (-len(name), name))
        return re.findall(rf"(?<!\w)(?:{'|'.join(map(re.escape, longest_first))})(?!\w)", text)
