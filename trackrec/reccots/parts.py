"""The parts of a RecCoT: what its user likes, what they avoid, and what should suit them next.

One vector of a RecCoT blurs "drawn to X" and "cooler on Y": its cosine with an item told liked items from others with
AUC .50, that of its liked minus its avoided sentence with .57 (MovieLens-100k, true texts). So clauses are told apart
by the words that say which way they point (preference_words.py), without a model. A sentence is cut in three steps: at
contrasts (``;``, but, while, so …), at ", and", at commas and "and". A clause without such a word belongs with the one
before it in the same step, else with the one after.

English only. What is not understood: irony, a negation of a negation ("does not dislike"), a title in small letters or
with a full stop inside that is not among the ``titles`` given, and who is meant where a clause speaks of others.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from enum import Enum, auto
from typing import NamedTuple

from trackrec.reccots.preference_words import AVOIDED, IDIOMS, LIKED, NEUTRAL, OUTLOOK


class Parts(NamedTuple):
    """Clauses of a RecCoT in its own words, ``. `` between those that did not stand together; "" where it has none."""

    liked: str
    avoided: str  # also what is expected not to please
    outlook: str  # what is expected to please


class _Side(Enum):
    LIKED = auto()
    AVOIDED = auto()
    OUTLOOK = auto()
    NEITHER = auto()  # how strict the user is


class _Clause(NamedTuple):
    start: int
    end: int
    side: _Side | None  # None: no word says so


_MASK = "X"  # stands for a character in which no word and no boundary is looked for
_WORDS = ((_Side.AVOIDED, AVOIDED), (_Side.OUTLOOK, OUTLOOK), (_Side.NEITHER, NEUTRAL), (_Side.LIKED, LIKED))

# Spans that are names or numbers, whatever words stand in them.
_QUOTED = re.compile(
    r"""[\"“][^\"“”\n]{1,90}?(?P<double>[.!?,]?[\"”])"""
    r"""|(?<![\w'’])['‘](?=[A-Z]|\d+ [A-Z])[^\n]{1,90}?(?P<single>[.!?,]?['’])(?!\w)"""
)
_COUNTED = re.compile(r"\([^()]{0,80}?\d[^()]{0,80}\)")
_ABBREVIATED = re.compile(
    r"\b(?:Mr|Mrs|Ms|Dr|St|Nr|No|Jr|Sr|Vol|Pt|vs|e\.g|i\.e|cf)\.|(?<!, )(?<![^\s.(])(?:[A-HJ-Z]|(?<=\.)I)\.(?=[\s\w])"
)
_NEW_SUBJECT = re.compile(r"[.!?]\s+(?:They|Their|He|She|The user|This user|However|But|Overall)\b")
_TITLED = re.compile(r"(?:No|Not|Never|But|So|Less)(?: (?:of|for|the|a|an|in|to))* (?:[A-Z0-9]|I['’])")

_SENTENCE = re.compile(r"(?:(?<=[.!?…])|(?<=[.!?…][\"')\]”’]))\s+(?=[A-Z0-9\"'“‘(])|\s*\n\s*(?![-*•\s])")
_CONTRAST = re.compile(
    r"\s*;\s*|\s+[–—]\s+"
    r"|,?\s+(?=(?:but|while|whilst|whereas|although|though|yet|however|unlike|except|apart from)\b)"
    r"|,?\s+(?=(?:rather than|instead of|as opposed to)\b)"
    r"|,\s+(?=(?:(?:and )?(?:so|hence|thus|therefore)|which (?:means|suggests))\b)"
)
_CLAUSE = re.compile(r",\s+(?=(?:and|or|nor)\b)|\s+(?=(?:that|which|whom) (?:they|he|she)\b)")
_PIECE = re.compile(r",\s+|\s+(?=(?:and|or)\b)|\n\s*[-*•]\s*")
_STEPS = (_CONTRAST, _CLAUSE, _PIECE)

_CONCESSION = re.compile(
    r"(?:while|although|though|even though|whereas|despite|rather than|instead of|unlike|except|apart from)\b"
)
_ITS_END = re.compile(r",(?= (?:they|he|she|it|their|the|this)\b)")
_ASIDE = re.compile(r", (?:however|though),")
# "films that are not too dark" says what they are like, "films that did not please" what the user likes.
_DESCRIBED = re.compile(
    r"\b(?:that|which|who) (?:is|are|was|were|do|does|did|has|have|can|will|would)(?:n['’]t| not| no| never)\b"
    r"(?! (?:please|work|appeal|suit|satisfy|impress|interest))"
)
_CHOICE = re.compile(r"\b(?:prefer|favou?r|choos)\w*\b[^.;,]*? (over)\b")
_EXAMPLE = re.compile(r"(?:for example|for instance|examples?|such|these|those|similarly|likewise)\b")
_JOINT = re.compile(r"(?:[\s,;–—*•-]|\b(?:and|but|so|while|whereas|yet|however|hence|thus|therefore)\b(?![-'’]))+")


def parts_of(text: str, titles: Sequence[str] = ()) -> Parts:
    """The parts of a RecCoT; clauses of which no word says more than how strict its user is are in none.

    ``titles``: names that may stand in ``text``, e.g. those that its prompt listed; no word inside one counts.
    """
    shape = _masked(text, titles)
    clauses: list[_Clause] = []
    for start, end in _split(shape, 0, len(shape), _SENTENCE):
        sentence = _smoothed(shape[start:end])
        shape = shape[:start] + sentence + shape[end:]
        of_sentence = _clauses(shape, start, end, _STEPS)
        if clauses and _EXAMPLE.match(sentence):
            of_sentence = _filled([[clauses[-1]], of_sentence])[1:]
        clauses += of_sentence
    return Parts(*(_joined(text, clauses, side) for side in (_Side.LIKED, _Side.AVOIDED, _Side.OUTLOOK)))


def _masked(text: str, titles: Sequence[str]) -> str:
    """``text`` with every character of a name, a quotation or a count replaced by _MASK; positions stay."""
    # A title of one word in small letters may be any word: "so", "but".
    names = sorted({t for t in titles if " " in t or t != t.lower()}, key=len, reverse=True)
    shape = text
    if names:
        shape = _hidden(re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, names))})(?!\w)"), shape)
    shape = _QUOTED.sub(_without_its_words, shape)
    shape = _hidden(_ABBREVIATED, _hidden(_COUNTED, shape))
    for match in _NEW_SUBJECT.finditer(text):  # "… of the U.S. They avoid …": a sentence ends there all the same
        shape = f"{shape[: match.start()]}.{shape[match.start() + 1 :]}"
    return shape


def _hidden(pattern: re.Pattern[str], shape: str) -> str:
    return pattern.sub(lambda match: _MASK * len(match[0]), shape)


def _without_its_words(quotation: re.Match[str]) -> str:
    """A quotation of which only the end is left, as a sentence may end with it."""
    end = quotation["double"] or quotation["single"]
    return _MASK * (len(quotation[0]) - len(end)) + end


def _smoothed(sentence: str) -> str:
    """A sentence in which its first letter is no capital and a concession ends with ``;``; its length stays."""
    if sentence[:1].isascii() and not _TITLED.match(sentence):  # "İ" in small letters is two characters
        sentence = sentence[:1].lower() + sentence[1:]
    sentence = _hidden(_DESCRIBED, _hidden(IDIOMS, sentence))
    sentence = _ASIDE.sub(lambda match: " " * len(match[0]), sentence)
    if _CONCESSION.match(sentence) and (comma := _ITS_END.search(sentence) or re.search(",", sentence)):
        sentence = f"{sentence[: comma.start()]};{sentence[comma.end() :]}"
    # "prefers drama over comedy"
    return _CHOICE.sub(lambda match: f"{match[0][:-5]};not ", sentence)


def _clauses(shape: str, start: int, end: int, steps: tuple[re.Pattern[str], ...]) -> list[_Clause]:
    """The clauses between two positions, each with its side where it or another of the same step has one."""
    if not steps:
        return [_Clause(start, end, _side(shape[start:end]))]
    return _filled([_clauses(shape, *span, steps[1:]) for span in _split(shape, start, end, steps[0])])


def _filled(groups: list[list[_Clause]]) -> list[_Clause]:
    """All clauses of ``groups``; of a group without a side each gets that of the clause before it, else the next."""
    sides = [group[-1].side for group in groups]
    for i in range(1, len(sides)):
        sides[i] = sides[i] or sides[i - 1]
    first = next((group[0].side for group in groups if group[0].side), None)
    return [
        clause._replace(side=clause.side or side or first)
        for group, side in zip(groups, sides, strict=True)
        for clause in group
    ]


def _side(clause: str) -> _Side | None:
    return next((side for side, words in _WORDS if words.search(clause)), None)


def _split(shape: str, start: int, end: int, boundary: re.Pattern[str]) -> Iterator[tuple[int, int]]:
    """Spans between the boundaries, none of them empty."""
    for match in boundary.finditer(shape, start, end):
        if match.start() > start:
            yield start, match.start()
        start = match.end()
    if start < end:
        yield start, end


def _joined(text: str, clauses: Sequence[_Clause], side: _Side) -> str:
    """The text of one side; clauses that stand together stay as they were written."""
    spans: list[list[int]] = []
    previous: _Clause | None = None
    for clause in clauses:
        if clause.side is side:
            if previous is not None and previous.side is side:
                spans[-1][1] = clause.end
            else:
                spans.append([clause.start, clause.end])
        previous = clause
    return ". ".join(filter(None, (_trimmed(text[start:end]) for start, end in spans)))


def _trimmed(clause: str) -> str:
    """Without the conjunctions that joined it to what stood before, and without the end of its sentence."""
    joint = _JOINT.match(clause)
    return clause[joint.end() if joint else 0 :].strip().rstrip(".;,! ").strip()
