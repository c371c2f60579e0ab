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
from trackrec.feedback.stacking import stacking_weights
from trackrec.runtime.errors import BadInputError

MATCHES = ("liked_attributes", "avoided_attributes")  # columns: how many of the item's attributes the RecCoT names so


@dataclass(frozen=True)
class Reader:
    """The weights (nats an attribute) and the constant (nats), beside ``offset``."""

    liked: float
    avoided: float
    constant: float
    offset: Offset

    def probability(self, row: Mapping[str, Any]) -> float:
        """P(yes) of an event with its ``MATCHES`` and ``offset.COUNTS``."""
        liked, avoided = (row[name] for name in MATCHES)
        read = self.liked * liked + self.avoided * avoided + self.constant
        return 1 / (1 + math.exp(-(self.offset.log_odds(row) + read)))


def fit_reader(rows: Sequence[Mapping[str, Any]], offset: Offset) -> Reader:
    """The reader of these rows: label, ``MATCHES`` and ``offset.COUNTS``.

    Raises BadInputError where the matches were not counted, or no RecCoT names an attribute of an item.
    """
    evidence = [tuple(row[name] for name in MATCHES) for row in rows]
    if any(None in matches for matches in evidence):
        raise BadInputError(
            f"table rec_tuning: rows of an earlier version have no {' and '.join(MATCHES)}.",
            "Run jobs/tune_validator.py, which makes its rows anew, or set tune.targets=labels.",
        )
    if not any(map(any, evidence)):
        raise BadInputError(
            f"table rec_tuning: of {len(rows)} rows no RecCoT names an attribute of the item, so a reader that counts "
            "them has nothing to read.",
            "Set tune.targets=labels, or look at the RecCoTs: python -m trackrec.report show.",
        )
    weights = stacking_weights(evidence, [offset.log_odds(row) for row in rows], [row["label"] for row in rows])
    liked, avoided, constant = (float(weight) for weight in weights)
    return Reader(liked, avoided, constant, offset)
