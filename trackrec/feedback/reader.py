"""A reader that counts: what it is worth, beside V's offset, that a RecCoT names an item's attributes.

logit p = offset + liked · (the item's attributes that the RecCoT names as liked) + avoided · (… as avoided) + constant.
Two weights, fitted to thousands of labels, hardly follow any one of them. An LLM that is tuned on the labels themselves
follows them all: after 3,200 V's answers moved by a twentieth of what this reader's do. So the reader may be a part of
V (``feedback.offset``: named), alone where V has no LLM (``validator.engine``: counted); or V's LLM may learn its
probabilities in the labels' place (``tune.targets``), and to read with them. Their worth is measured on labels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from trackrec.engines.spec import COUNTED
from trackrec.feedback.offset import NAMED, Offset
from trackrec.runtime.errors import BadInputError
from trackrec.runtime.settings import Settings

_RIDGE = 1e-3  # of the weights: what is the same always has none
_WITHOUT = "do without (tune.targets=labels, feedback.offset=fixed)"


def is_counted(settings: Settings) -> bool:
    """Whether V has no LLM."""
    return settings.validator is not None and settings.validator.engine == COUNTED


def needs_reader(settings: Settings) -> bool:
    """Whether V begins with what a reader makes of the RecCoTs, or learns it."""
    return settings.tune.targets == "reader" or settings.feedback.offset == "named"


def check_reader(settings: Settings) -> None:
    """Raise BadInputError where a reader has a part in V and the settings leave it nothing to stand on, read or do."""
    feedback, targets = settings.feedback, settings.tune.targets == "reader"
    if is_counted(settings) and feedback.offset == "none":
        what = "validator.engine is counted, so V is its offset alone, and feedback.offset is none."
        raise BadInputError(what, "Set feedback.offset=named, or let V ask an LLM: validator.engine=auto.")
    if targets and feedback.offset == "none":
        what = "tune.targets is reader, whose weights stand beside V's offset, and feedback.offset is none."
        raise BadInputError(what, "Set feedback.offset=fixed, or tune.targets=labels.")
    if targets and feedback.offset == "named":
        what = "tune.targets is reader, and feedback.offset is named: V begins with all that the reader could teach it."
        raise BadInputError(what, "Set tune.targets=labels, or feedback.offset=fixed.")
    if needs_reader(settings) and feedback.validator_reads == "history":
        what = "a reader of RecCoTs has a part in V, and feedback.validator_reads is history: V sees none."
        raise BadInputError(what, "Set feedback.validator_reads=reccot, or tune.targets=labels, feedback.offset=fixed.")


def fit_reader(rows: Sequence[Mapping[str, Any]], offset: Offset) -> Offset:
    """``offset`` that reads, its weights fitted to these rows: label, ``NAMED`` and ``offset.COUNTS``.

    A weight of the wrong sign is 0, and the others are fitted without it. Raises BadInputError where nothing was
    counted, where no RecCoT names an attribute of its item, and where neither weight has its sign: then the reader has
    nothing to say.
    """
    import numpy as np

    from trackrec.feedback.logistic import logistic_weights

    named = [tuple(row[name] for name in NAMED) for row in rows]
    if any(None in counts for counts in named):
        raise BadInputError(
            f"a reader is to be fitted, and of {len(rows)} rows to tune on some lack {' and '.join(NAMED)}.",
            f"Run jobs/tune_validator.py with this setting, which makes its rows anew, or {_WITHOUT}.",
        )
    if not any(map(any, named)):
        raise BadInputError(
            f"a reader is to be fitted, and of {len(rows)} rows to tune on no RecCoT names an attribute of the item.",
            f"Look at the RecCoTs (python -m trackrec.report show), or {_WITHOUT}.",
        )
    x = np.column_stack([np.array(named, dtype=float), np.ones(len(rows))])
    fixed, label = (np.array(column) for column in zip(*((offset.log_odds(r), r["label"]) for r in rows), strict=True))

    def weights_of(columns: list[int]) -> list[float]:
        start, penalty = np.zeros(len(columns)), np.full(len(columns), _RIDGE)
        fitted = logistic_weights(x[:, columns], label, start, start, penalty, fixed)
        weights = dict(zip(columns, fitted, strict=True))
        return [float(weights.get(column, 0.0)) for column in range(3)]

    liked, avoided, _ = weights_of([0, 1, 2])
    if liked <= 0 <= avoided:
        raise BadInputError(
            f"a reader is to be fitted, and in {len(rows)} rows to tune on users like what their RecCoTs call liked no "
            f"more ({liked:+.2f}) and what they call avoided no less ({avoided:+.2f}) than without.",
            f"Tune on more events (tune.max_examples), look at the RecCoTs, or {_WITHOUT}.",
        )
    # Without the column that has not its sign the others are other weights.
    liked, avoided, unnamed = weights_of([*([0] if liked > 0 else []), *([1] if avoided < 0 else []), 2])
    return replace(offset, liked=liked, avoided=avoided, unnamed=unnamed)
