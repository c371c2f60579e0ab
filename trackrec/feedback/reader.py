"""A reader that counts: what it is worth, beside V's offset, that a RecCoT names an item's attributes.

logit p = offset + liked · (the item's attributes that the RecCoT names as liked) + avoided · (… as avoided) + constant.
Two weights, fitted to thousands of labels, hardly follow any one of them. An LLM that is tuned on the labels themselves
follows them all: after 3,200 V's answers moved by a twentieth of what this reader's do. So V may learn the reader's
probabilities in the labels' place (``tune.targets``), and to read with them; their worth is measured on labels.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from trackrec.feedback.offset import Offset
from trackrec.runtime.errors import BadInputError
from trackrec.runtime.settings import Settings

NAMED = ("named_liked", "named_avoided")  # columns: how many of the item's attributes the RecCoT names so
_RIDGE = 1e-3  # of the weights: what is the same always has none


@dataclass(frozen=True)
class Reader:
    """The weights (nats an attribute; liked ≥ 0 ≥ avoided) and the constant (nats), beside ``offset``."""

    liked: float
    avoided: float
    constant: float
    offset: Offset

    def evidence(self, liked: int, avoided: int) -> float:
        """What is added to the offset, nats, where so many of an item's attributes are named."""
        return self.liked * liked + self.avoided * avoided + self.constant

    def probability(self, row: Mapping[str, Any]) -> float:
        """P(yes) of an event with its ``NAMED`` and ``offset.COUNTS``."""
        liked, avoided = (row[name] for name in NAMED)
        return 1 / (1 + math.exp(-(self.offset.log_odds(row) + self.evidence(liked, avoided))))


def check_reader(settings: Settings) -> None:
    """Raise BadInputError where V is to learn from a reader and the settings leave that nothing to stand on or read."""
    feedback = settings.feedback
    if settings.tune.targets == "labels":
        return
    if feedback.offset == "none":
        what = "tune.targets is reader, whose weights stand beside V's offset, and feedback.offset is none."
        raise BadInputError(what, "Set feedback.offset=fixed, or tune.targets=labels.")
    if feedback.validator_reads == "history":
        what = "tune.targets is reader, who reads RecCoTs, and feedback.validator_reads is history: V sees none."
        raise BadInputError(what, "Set feedback.validator_reads=reccot, or tune.targets=labels.")


def fit_reader(rows: Sequence[Mapping[str, Any]], offset: Offset) -> Reader:
    """The reader of these rows: label, ``NAMED`` and ``offset.COUNTS``. A weight of the wrong sign is 0.

    Raises BadInputError where nothing was counted, where no RecCoT names an attribute of its item, and where neither
    weight has its sign: then the reader has nothing to teach.
    """
    import numpy as np

    from trackrec.feedback.logistic import logistic_weights

    named = [tuple(row[name] for name in NAMED) for row in rows]
    if any(None in counts for counts in named):
        raise BadInputError(
            f"tune.targets=reader, and of {len(rows)} rows to tune on some lack {' and '.join(NAMED)}.",
            "Run jobs/tune_validator.py with this setting, which makes its rows anew, or set tune.targets=labels.",
        )
    if not any(map(any, named)):
        raise BadInputError(
            f"tune.targets=reader, and of {len(rows)} rows to tune on no RecCoT names an attribute of the item.",
            "Set tune.targets=labels, or look at the RecCoTs: python -m trackrec.report show.",
        )
    x = np.column_stack([np.array(named, dtype=float), np.ones(len(rows))])
    fixed, label = (np.array(column) for column in zip(*((offset.log_odds(r), r["label"]) for r in rows), strict=True))
    start, penalty = np.zeros(3), np.full(3, _RIDGE)
    liked, avoided, constant = (float(w) for w in logistic_weights(x, label, start, start, penalty, fixed))
    if liked <= 0 <= avoided:
        raise BadInputError(
            f"tune.targets=reader, and in {len(rows)} rows to tune on users like what their RecCoTs call liked no more "
            f"({liked:+.2f}) and what they call avoided no less ({avoided:+.2f}) than without.",
            "Tune on more events (tune.max_examples), look at the RecCoTs, or set tune.targets=labels.",
        )
    return Reader(max(liked, 0.0), min(avoided, 0.0), constant, offset)
