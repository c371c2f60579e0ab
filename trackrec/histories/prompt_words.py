"""The words of a prompt that the settings give in place of the template's own, checked before anything is written."""

from __future__ import annotations

from trackrec.runtime.errors import BadInputError
from trackrec.runtime.settings import PromptSettings

_NOUNS = ("item_noun", "attribute_noun")
_WORDS = ("lead", "question", "opening", "liked", "not_liked")
_JOINERS = dict.fromkeys(map(ord, "\u200c\u200d"))  # Persian, Indic scripts and emoji are spelt with them


def checked_words(prompt: PromptSettings) -> dict[str, str]:
    """The words that ``prompt`` gives, by field of ``Template``; all but the question with the nouns put in.

    Raises BadInputError for words that hold a fence, a line break or braces that name nothing, that are blank (only the
    opening may be), and for a language or a noun that does.
    """
    for name in _NOUNS:
        _checked(name, getattr(prompt, name))
    given = {name: getattr(prompt, name) for name in (*_WORDS, "language")}
    words = {name: _checked(name, word) for name, word in given.items() if word is not None}
    nouns = {"items": prompt.item_noun, "attributes": prompt.attribute_noun}
    return {
        name: word if name == "question" else word.format(**nouns) for name, word in words.items() if name in _WORDS
    }


def _checked(name: str, word: str) -> str:
    setting, word = f"prompt.{name}", word.strip()
    shown = word.translate(_JOINERS)
    if not shown.strip() and name != "opening":
        raise BadInputError(f"{setting} is blank.", "Give it words, or leave it out for those that are there.")
    if not shown.isprintable():
        raise BadInputError(f"{setting} holds a line break or a control character: {word!r}.", "Write it in one line.")
    fenced = word.replace("<<<", "", 1).replace(">>>", "", 1) if name == "lead" else word
    if "<<<" in fenced or ">>>" in fenced:
        raise BadInputError(
            f"{setting} holds <<< or >>>, between which the history stands: {word!r}.",
            "Leave them out; prompt.lead may name each once.",
        )
    named = word if name in _NOUNS else word.replace("{items}", "").replace("{attributes}", "")
    if {*named} & {*"{}"}:
        raise BadInputError(
            f"{setting} has braces that name nothing: {word!r}.",
            "Only {items} and {attributes} are put in, and these into no noun.",
        )
    return word
