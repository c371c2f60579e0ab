"""What a teacher is: something that writes RecCoTs about histories, or says why it could not."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from trackrec.histories.text import one_line
from trackrec.reccots.sentences import served_text

_MAX_CHARS = 2000


@dataclass(frozen=True)
class TeacherText:
    """A row of ``user_histories`` with the teacher's RecCoT, or with a fault ``code: detail`` and no text."""

    history: Mapping[str, Any]
    text: str = ""
    fault: str | None = None


class Teacher(Protocol):
    """Writes RecCoTs; ``version`` is name@hash over all that decides what the teacher writes from."""

    version: str

    def write(self, histories: Sequence[Mapping[str, Any]]) -> Generator[TeacherText]:
        """One text or fault a history, in any order, as they come; closed, it gives back what it holds.

        ``histories``: rows of ``user_histories`` with user_id, prompt_key, prompt_body and what the teacher reads.
        Raises BadInputError where it can write about none, e.g. for a key that is refused.
        """
        ...


def read_text(answer: str, opening: str, finish_reason: str) -> tuple[str, str]:
    """(the RecCoT, "") of what a model answered, or ("", why it is none, as ``code: detail``).

    One line without what cannot be seen. Where the answer was cut (``finish_reason`` length) its whole sentences stay,
    for G learns to end where a text ends.
    """
    status, text = served_text(one_line(answer), opening, finish_reason)
    if status == "empty":
        return "", "empty: the teacher wrote no whole sentence"
    if not text.startswith(opening):
        return "", f"no_opening: the answer does not begin with {opening!r}"
    if len(text) > _MAX_CHARS:
        return "", f"too_long: {len(text)} characters"
    return text, ""
