"""What a teacher is: something that writes RecCoTs about histories, or says why it could not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True)
class TeacherText:
    """A row of ``user_histories`` with the teacher's RecCoT, or with a fault ``code: detail`` and no text."""

    history: Mapping[str, Any]
    text: str = ""
    fault: str | None = None


class Teacher(Protocol):
    """Writes RecCoTs; ``version`` is name@hash over all that decides what the teacher writes from."""

    version: str

    def write(self, histories: Sequence[Mapping[str, Any]]) -> Iterator[TeacherText]:
        """One text or fault a history, in any order, as they come.

        ``histories``: user_id, prompt_key, prompt_body, shown_events, shown_liked, above, below of ``user_histories``.
        Raises BadInputError where it can write about none, e.g. for a key that is refused.
        """
        ...
