"""How much of what a RecCoT names is in the history that it was written from."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from trackrec.histories.whole_words import WholeWords

_SHORTEST = 3  # letters: titles of one or two stand in any text


class Names(WholeWords):
    """The titles and attributes of a catalogue, but those of one or two letters."""

    def __init__(self, names: Iterable[str]) -> None:
        super().__init__(name for name in names if len(name) >= _SHORTEST)


def groundedness(texts: Sequence[str], prompts: Sequence[str], names: Names) -> tuple[float, float]:
    """(share of names in the texts that stand in their own prompts, names a text); NaN where no text has a name."""
    grounded = total = 0
    for text, prompt in zip(texts, prompts, strict=True):
        in_text, in_prompt = names.within(text), set(names.within(prompt))
        grounded += sum(name in in_prompt for name in in_text)
        total += len(in_text)
    return (grounded / total if total else float("nan")), (total / len(texts) if texts else 0.0)
