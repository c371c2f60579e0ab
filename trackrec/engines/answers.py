"""V's answers as tokens: what must be asked of a model to know the whole log-probability of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

Tokens = tuple[int, ...]


class Answers:
    """The token ids of each answer. With one token each there is one position to look at, the one behind the prompt.

    Longer answers are teacher-forced: ``nexts`` maps every beginning that must stand behind the prompt (the empty one
    first) to the tokens whose log-probability is wanted there.
    """

    def __init__(self, tokens: Sequence[Tokens]) -> None:
        self.tokens = tuple(tokens)
        self.nexts: dict[Tokens, list[int]] = {}
        for answer in self.tokens:
            for i, token in enumerate(answer):
                wanted = self.nexts.setdefault(answer[:i], [])
                if token not in wanted:
                    wanted.append(token)

    def scores(self, found: Mapping[Tokens, Mapping[int, float]]) -> tuple[float, ...]:
        """Log-probability (nats) of each answer, of ``found``: beginning → next token → its log-probability."""
        return tuple(sum(found[answer[:i]][token] for i, token in enumerate(answer)) for answer in self.tokens)
