"""How good V's probabilities are on the hold-out, what RecCoTs add to them, and what V must beat; no Spark."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from trackrec.metrics.bootstrap import bootstrap_interval
from trackrec.metrics.probability import calibration_error, logloss
from trackrec.metrics.ranking import auc, uauc

NO_RECCOT, SHUFFLED = "none", "shuffled"  # variants: V is shown no RecCoT, or that of another user
CONSTANT, USER_SHARE = "always the same", "user's share"
FLOORS = (CONSTANT, USER_SHARE)
QUALITY = ("auc", "uauc", "logloss", "ece")


def quality(label: Sequence[int], p: Sequence[float], user: Sequence[str]) -> dict[str, float]:
    """auc, uauc (mean over users with both labels, weighted by their events), logloss (nats), ece (10 equal bins).

    ``p`` is P(Yes); all three have one entry an event. NaN where a figure has no meaning, e.g. with one label only.
    """
    y, score = np.asarray(label), np.asarray(p, dtype=float)
    return {
        "auc": auc(y, score),
        "uauc": uauc(y, score, np.asarray(user)),
        "logloss": logloss(y, score),
        "ece": calibration_error(y, score),
    }


def differences(
    by_variant: Mapping[str, Sequence[float]], label: Sequence[int], user: Sequence[str], last: str
) -> dict[str, dict[str, float]]:
    """What the RecCoTs of ``last`` add: AUC of V shown them minus its AUC shown something else, on the same events.

    ``by_variant``: variant → P(Yes), in one order of events. Returns for each other variant auc, low and high (95 %,
    whole users drawn again), moved: mean distance of the two log-odds over their spread (0: V does not read them).
    """
    y, (_, users) = np.asarray(label), np.unique(user, return_inverse=True)
    scores = {name: np.asarray(p, dtype=float) for name, p in by_variant.items()}
    own = scores.pop(last)
    spread = float(np.std(_log_odds(own)))
    rows = {}
    for name, other in scores.items():
        low, high = bootstrap_interval(y, users, other, own)
        moved = float(np.mean(np.abs(_log_odds(own) - _log_odds(other)))) / spread if spread else 0.0
        rows[name] = {"auc": auc(y, own) - auc(y, other), "low": low, "high": high, "moved": moved}
    return rows


def floors(events: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, float]]:
    """What V must beat before its feedback means anything: always the overall share, and the user's own share.

    ``events``: label, user_id, n_liked, n_events of each event of the hold-out.
    """
    label, user = [e["label"] for e in events], [e["user_id"] for e in events]
    liked, seen = sum(e["n_liked"] for e in events), sum(e["n_events"] for e in events)
    overall = liked / seen if seen else 0.5
    shares = [(e["n_liked"] + overall) / (e["n_events"] + 1) for e in events]
    return {CONSTANT: quality(label, [overall] * len(label), user), USER_SHARE: quality(label, shares, user)}


def quality_table(rows: Mapping[str, Mapping[str, float]]) -> str:
    """The figures as aligned text, one line a variant."""
    lines = [f"{'V sees':<17}" + "".join(f"{name:>9}" for name in QUALITY)]
    lines += [f"{variant:<17}" + "".join(f"{row[name]:>9.4f}" for name in QUALITY) for variant, row in rows.items()]
    return "\n".join(lines)


def _log_odds(p: np.ndarray[Any, np.dtype[np.float64]]) -> np.ndarray[Any, np.dtype[np.float64]]:
    odds: np.ndarray[Any, np.dtype[np.float64]] = np.log(p / (1 - p))
    return odds
