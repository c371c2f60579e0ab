"""How much of what a RecCoT names is in the history that it was written from."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

_SHORTEST = 3  # letters: titles of one or two stand in any text


class Names:
    """The titles and attributes of a catalogue, looked for in texts as whole words, the longest first."""

    def __init__(self, names: Iterable[str]) -> None:
        longest_first = sorted({name for name in names if len(name) >= _SHORTEST}, key=len, reverse=True)
        alternatives = "|".join(map(re.escape, longest_first))
        self._pattern = re.compile(rf"(?<!\w)(?:{alternatives})(?!\w)") if longest_first else None

    def within(self, text: str) -> list[str]:
        """The names in ``text``, as often as they stand there; capital letters count, so that "speed" is no film."""
        return self._pattern.findall(text) if self._pattern else []


def groundedness(texts: Sequence[str], prompts: Sequence[str], names: Names) -> tuple[float, float]:
    """(share of names in the texts that stand in their own prompts, names a text); NaN where no text has a name."""
    grounded = total = 0
    for text, prompt in zip(texts, prompts, strict=True):
        in_text, in_prompt = names.within(text), set(names.within(prompt))
        grounded += sum(name in in_prompt for name in in_text)
        total += len(in_text)
    return (grounded / total if total else float("nan")), (total / len(texts) if texts else 0.0)
