"""What V's log-odds on a hold-out come to, with 95 % intervals over users: whole users are drawn again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from bench.reading_rows import Row, named_in, others_reccots
from trackrec.feedback.metrics import reading
from trackrec.metrics.arrays import Scores
from trackrec.metrics.bootstrap import Resamples, percentiles
from trackrec.metrics.probability import logloss
from trackrec.metrics.ranking import auc, uauc

OWN, SHUFFLED, NONE = "own", "shuffled", "none"  # whose RecCoT V is shown
CONSTANT, USER_SHARE, OFFSET = "always the same", "user's share", "offset alone"
Estimate = tuple[float, float, float]  # value, low, high


class HoldOut:
    """Figures of predictions for the same rows; a prediction is log-odds, one entry a row."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self._label = np.array([row.label for row in rows], dtype=np.int64)
        self._user = np.array([row.user for row in rows])
        self._draws = Resamples(self._label, self._user)

    def quality(self, log_odds: Sequence[float]) -> dict[str, Any]:
        """uauc with its interval, auc and log-loss (nats)."""
        score = np.asarray(log_odds, dtype=float)
        found = {"auc": auc(self._label, score), "logloss": logloss(self._label, _probability(score))}
        return {"uauc": _rounded(self._uauc(score), self._draws.uauc(score))} | _short(found)

    def gain(self, log_odds: Sequence[float], reference: Sequence[float]) -> list[float]:
        """UAUC of ``log_odds`` minus that of ``reference``: value, low, high."""
        one, other = np.asarray(log_odds, dtype=float), np.asarray(reference, dtype=float)
        return _rounded(self._uauc(one) - self._uauc(other), self._draws.uauc(one) - self._draws.uauc(other))

    def spared(self, log_odds: Sequence[float], reference: Sequence[float]) -> list[float]:
        """Log-loss of ``reference`` minus that of ``log_odds`` (nats an event; above 0 is better): value, low, high."""
        one, other = (_probability(np.asarray(scores, dtype=float)) for scores in (log_odds, reference))
        value = logloss(self._label, other) - logloss(self._label, one)
        return _rounded(value, self._draws.logloss(other) - self._draws.logloss(one))

    def reading(self, log_odds: Sequence[float], other: Sequence[float], support: Sequence[float]) -> list[float]:
        """``metrics.reading`` of ``log_odds`` minus ``other``: value, low, high."""
        found = reading(self._draws, self._user, np.asarray(log_odds) - np.asarray(other), np.asarray(support))
        return [round(found[name], 4) for name in ("reading", "reading_low", "reading_high")]

    def _uauc(self, score: Scores) -> float:
        return uauc(self._label, score, self._user)


def compared(
    rows: Sequence[Row], by_variant: Mapping[str, Sequence[float]], floors: Mapping[str, Sequence[float]]
) -> dict[str, Any]:
    """V's figures shown each variant, and what a row's own RecCoT brings against the other variants and the floors.

    ``reading``: see ``feedback.metrics.reading``.
    """
    held, own = HoldOut(rows), by_variant[OWN]
    others = named_in(rows, others_reccots(rows))
    support = [
        (row.named_liked - row.named_avoided) - (liked - avoided)
        for row, (liked, avoided) in zip(rows, others, strict=True)
    ]
    reading = {"reading": held.reading(own, by_variant[SHUFFLED], support)} if SHUFFLED in by_variant else {}
    gains = {f"own - {name}": held.gain(own, other) for name, other in by_variant.items() if name != OWN}
    return {
        "validator": {name: held.quality(scores) for name, scores in by_variant.items()},
        "uauc": gains | {f"V - {name}": held.gain(own, floor) for name, floor in floors.items()},
        "logloss": {f"{name} - V": held.spared(own, floor) for name, floor in floors.items()},
        **reading,
    }


def table(ways: Mapping[str, Mapping[str, Any]]) -> str:
    """The ways as a Markdown table: UAUC and its differences with intervals."""
    pairs = (f"own - {SHUFFLED}", f"V - {OFFSET}", f"V - {USER_SHARE}")
    lines = [
        f"| way | UAUC | {' | '.join(pairs)} | reading | AUC | log-loss | s |",
        f"|---|{'---|' * (len(pairs) + 5)}",
    ]
    for name, found in ways.items():
        own = found["validator"][OWN]
        cells = [_interval(own["uauc"], signed=False), *(_interval(found["uauc"][pair]) for pair in pairs)]
        cells += [
            _interval(found["reading"]),
            f"{own['auc']:.4f}",
            f"{own['logloss']:.4f}",
            str(found.get("seconds", "")),
        ]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _interval(estimate: Sequence[float], *, signed: bool = True) -> str:
    value, low, high = (f"{number:{'+' if signed else ''}.4f}" for number in estimate)
    return f"{value} [{low}, {high}]"


def _probability(log_odds: Scores) -> Scores:
    return np.asarray(1 / (1 + np.exp(-np.clip(log_odds, -500, 500))))


def _rounded(value: float, draws: Scores) -> list[float]:
    return [round(float(number), 4) for number in (value, *percentiles(draws))]


def _short(row: Mapping[str, float]) -> dict[str, float]:
    return {name: round(value, 4) for name, value in row.items()}
