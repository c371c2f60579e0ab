"""V's answers as tokens: which positions a model must score to give the log-probability of each whole answer.

And what two of them come to as a probability.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

Tokens = tuple[int, ...]


class Answers:
    """The token ids of each answer. With one token each only one position is scored, the one behind the prompt.

    Longer answers are teacher-forced: ``next_tokens`` maps every beginning that must stand behind the prompt (the
    empty one first) to the tokens whose log-probability is needed there.
    """

    def __init__(self, tokens: Sequence[Tokens]) -> None:
        self.tokens = tuple(tokens)
        self.next_tokens: dict[Tokens, list[int]] = {}
        for answer in self.tokens:
            for i, token in enumerate(answer):
                candidates = self.next_tokens.setdefault(answer[:i], [])
                if token not in candidates:
                    candidates.append(token)

    @property
    def one_token_each(self) -> bool:
        """Whether every answer is one token, so that only the position behind the prompt is scored."""
        return all(len(answer) == 1 for answer in self.tokens)

    def scored(self, log_probabilities: Mapping[Tokens, Mapping[int, float]]) -> bool:
        """Whether ``log_probabilities``, as for ``scores``, hold every beginning."""
        return log_probabilities.keys() >= self.next_tokens.keys()

    def scores(self, log_probabilities: Mapping[Tokens, Mapping[int, float]]) -> tuple[float, ...]:
        """Log-probability (nats) of each answer, from beginning → next token → its log-probability."""
        return tuple(
            sum(log_probabilities[answer[:i]][token] for i, token in enumerate(answer)) for answer in self.tokens
        )


def probability(log_odds: float) -> float:
    """P(Yes) / (P(Yes) + P(No)) from log P(Yes) - log P(No), without overflow at either end."""
    if log_odds >= 0:
        return 1 / (1 + math.exp(-log_odds))
    return math.exp(log_odds) / (1 + math.exp(log_odds))
