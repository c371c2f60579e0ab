"""The statistics teacher of templates whose prompts show no shares: it reasons from a user's tallies and titles.

It goes from evidence (titles, counts) to a preference and what follows from it, in varied words, so that G learns to
reason from the history in front of it and not to recite one sentence. What it cannot know it does not say.
"""

from __future__ import annotations

import random
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from trackrec.histories.shares import Tally
from trackrec.histories.templates import Template, asks_for_language
from trackrec.runtime.errors import BadInputError
from trackrec.training.teachers.interface import TeacherText

_FEW = 3  # events an attribute needs before anything is said about it
_STRICT, _GENEROUS = 0.45, 0.7  # shares of likes; MovieLens-100k's users like .55 of what they rate


@dataclass(frozen=True)
class History:
    """What a prompt shows of a user: columns of ``user_histories``; titles oldest first."""

    liked: Sequence[str]
    disliked: Sequence[str]
    tallies: Sequence[Tally]
    n_liked: int
    n_events: int


class TalliesTeacher:
    """``reccot`` for rows of ``user_histories``, in words drawn by the prompt's key.

    Raises BadInputError for a template in whose words of liking, or in whose language, these texts are not.
    """

    version = "statistics@2"  # stays: what is said of prompts with shares is ``statistics``
    columns = ("liked", "disliked", "tallies", "n_liked", "n_events")  # of user_histories that it reads

    def __init__(self, template: Template) -> None:
        words = (template.liked, template.not_liked)
        if words != (Template.liked, Template.not_liked) or asks_for_language(template):
            raise BadInputError(
                f"the statistics teacher writes English of what is liked or not, and {template.name} has prompt.liked "
                f"{words[0]!r}, prompt.not_liked {words[1]!r} and the question {template.question!r}.",
                "Leave prompt.liked, not_liked and language to the template, or set distill.teacher=openai or model.",
            )
        self._opening, self._noun = template.opening, template.item_noun

    def write(self, histories: Sequence[Mapping[str, Any]]) -> Generator[TeacherText]:
        """One text a history, and no fault."""
        for row in histories:
            yield TeacherText(row, self.text(row))

    def text(self, row: Mapping[str, Any]) -> str:
        """The RecCoT about a row of ``user_histories``: prompt_key, liked, disliked, tallies, n_liked, n_events."""
        tallies = [Tally(t["attribute"], t["liked"], t["disliked"]) for t in row["tallies"]]
        history = History(row["liked"], row["disliked"], tallies, row["n_liked"], row["n_events"])
        return reccot(history, self._opening, self._noun, int(row["prompt_key"][:8], 16))


def reccot(history: History, opening: str, item_noun: str, seed: int) -> str:
    """A RecCoT of two or three sentences that begins with ``opening``; the same arguments give the same text.

    ``opening`` is the template's, e.g. "The user is drawn to"; ``item_noun`` in the plural.
    """
    rng = random.Random(seed)
    share = history.n_liked / history.n_events
    above = sorted((t for t in history.tallies if _lift(t, share) > 0), key=lambda t: -_lift(t, share))[:2]
    below = sorted((t for t in history.tallies if _lift(t, share) < 0), key=lambda t: _lift(t, share))[:2]
    sentences = [
        f"{opening} {_liked(history, above, item_noun, rng)}.",
        f"{_disliked(history, below, rng)}.",
        f"{_strictness(history, share, item_noun, rng)}{_expected(above, below, rng)}.",
    ]
    return " ".join(sentence for sentence in sentences if sentence != ".")


def _lift(tally: Tally, share: float) -> float:
    """The tally's lift over the user's share of likes; 0 where there are too few events to say."""
    return tally.lift(share) if tally.total >= _FEW else 0.0


def _liked(history: History, above: Sequence[Tally], item_noun: str, rng: random.Random) -> str:
    shown = _titles(history.liked, rng)
    if not above:
        return rng.choice([f"{item_noun} such as {shown}", f"{shown}"]) if shown else f"few of the {item_noun} they met"
    counted = _counted(above)
    if not shown:
        return counted
    return rng.choice([f"{counted}, lately {shown}", f"{counted}, as with {shown} among their likes", counted])


def _disliked(history: History, below: Sequence[Tally], rng: random.Random) -> str:
    shown = _titles(history.disliked, rng)
    if not below:
        return rng.choice([f"They did not like {shown}", f"Among what left them cold: {shown}"]) if shown else ""
    start = rng.choice(["They are cooler on", "Less often they like", "They are harder to please with"])
    return f"{start} {_counted(below)}" + (rng.choice([f"; {shown} did not please", ""]) if shown else "")


def _strictness(history: History, share: float, item_noun: str, rng: random.Random) -> str:
    counted = f"{history.n_liked} of {history.n_events}"
    if share < _STRICT:
        return rng.choice(
            [f"Liking {counted} {item_noun}, they are strict", f"They are a strict judge, with {counted} liked"]
        )
    if share > _GENEROUS:
        return rng.choice([f"With {counted} liked they are easily pleased", f"They are generous: {counted} liked"])
    return rng.choice([f"They like {counted} {item_noun}", f"With {counted} liked they choose with care"])


def _expected(above: Sequence[Tally], below: Sequence[Tally], rng: random.Random) -> str:
    parts = []
    if above:
        parts.append(rng.choice([f"{above[0].attribute} should suit them", f"expect {above[0].attribute} to please"]))
    if below:
        parts.append(rng.choice([f"{below[0].attribute} is a risk", f"{below[0].attribute} rather not"]))
    return ", so " + ", and ".join(parts) if parts else ""


def _counted(tallies: Sequence[Tally]) -> str:
    """Both counts as the prompt has them. Taught "16 of 20", a sum, a G of 135 M got .12 right (bench/counts.py)."""
    return " and ".join(f"{t.attribute} ({t.liked} liked, {t.disliked} not)" for t in tallies)


def _titles(titles: Sequence[str], rng: random.Random) -> str:
    """One or two of the newest four titles."""
    newest = list(titles)[-4:]
    chosen = rng.sample(newest, min(len(newest), rng.choice([1, 2])))
    return " and ".join(chosen)
