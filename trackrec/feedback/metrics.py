"""How good V's probabilities are on the hold-out, what RecCoTs add to them, and what V must beat; no Spark."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from trackrec.engines.answers import probability
from trackrec.metrics.arrays import Scores, Users
from trackrec.metrics.bootstrap import Resamples, correlation, percentiles
from trackrec.metrics.probability import calibration_error, logloss
from trackrec.metrics.ranking import auc, ranked_users, uauc

NO_RECCOT, SHUFFLED = "none", "shuffled"  # variants: V is shown no RecCoT, or that of another user
CONSTANT, USER_SHARE, OFFSET = "always the same", "user's share", "offset alone"
READER = "reader alone"  # the offset of a V that reads and has an LLM, with the RecCoTs of the last G
# Users with both labels that an interval over users needs before a verdict may rest on it. A user is drawn in some of
# the draws only, and of one alone every draw has the same UAUC: [1.00, 1.00] of a single liked item put first.
ENOUGH_USERS = 30
_ROUNDING = 1e-9
QUALITY = ("auc", "uauc", "uauc_low", "uauc_high", "logloss", "ece")


def quality(label: Sequence[int], p: Sequence[float], user: Sequence[str]) -> dict[str, float]:
    """auc, uauc, uauc_low, uauc_high, users, logloss (nats), ece (10 equal bins) of ``p``, P(Yes); an entry an event.

    uauc is the mean over users with both labels, of whom there are ``users``, weighted by their events; its interval
    (95 %) is over users, who are drawn again as a whole. NaN where a figure has no meaning, e.g. with one label only.
    """
    y, score, users = np.asarray(label), np.asarray(p, dtype=float), np.asarray(user)
    low, high = percentiles(Resamples(y, users).uauc(score))
    return {
        "auc": auc(y, score),
        "uauc": uauc(y, score, users),
        "uauc_low": low,
        "uauc_high": high,
        "users": float(ranked_users(y, users)),
        "logloss": logloss(y, score),
        "ece": calibration_error(y, score),
    }


def difference(
    label: Sequence[int],
    user: Sequence[str],
    own: Sequence[float],
    other: Sequence[float],
    support: Sequence[float] | None = None,
) -> dict[str, float]:
    """How much better ``own`` ranks than ``other``, both P(Yes) of the same events.

    auc, low, high: AUC of own minus that of other and its 95 % interval; uauc, uauc_low, uauc_high: the same of UAUC,
    which a share or a bias that is the user's own cannot move. Paired: the same whole users are drawn again for both.
    users: how many have both labels.
    moved: mean distance of the two log-odds over own's spread (0: V does not read what differs); events: how many.
    With ``support``, how much more what V read for ``own`` speaks for the item than what it read for ``other``, those
    of ``reading``, too.
    """
    y, users, a, b = np.asarray(label), np.asarray(user), np.asarray(own, dtype=float), np.asarray(other, dtype=float)
    draws = Resamples(y, users)
    low, high = percentiles(draws.auc(a) - draws.auc(b))
    uauc_low, uauc_high = percentiles(draws.uauc(a) - draws.uauc(b))
    spread = float(np.std(_log_odds(a))) if len(a) else 0.0
    moved = _log_odds(a) - _log_odds(b)
    read = {} if support is None else reading(draws, users, moved, np.asarray(support, dtype=float))
    return {
        "auc": auc(y, a) - auc(y, b),
        "low": low,
        "high": high,
        "uauc": uauc(y, a, users) - uauc(y, b, users),
        "uauc_low": uauc_low,
        "uauc_high": uauc_high,
        "users": float(ranked_users(y, users)),
        "moved": float(np.mean(np.abs(moved))) / spread if spread else 0.0,
        "events": float(len(y)),
        **read,
    }


def reading(draws: Resamples, user: Users, moved: Scores, support: Scores) -> dict[str, float]:
    """Whether V reads: reading, the correlation of how its log-odds moved with how the support of the item differs.

    Of each event both stand for what V was shown in place of something else. Within users: each user's mean is taken
    off first, so a V that only looks at how many attributes a text names, and never at the item, has 0. No label has a
    part in it: it tells a V that does not read from texts that say too little. reading_low, reading_high: 95 % interval
    over users; reading_users: of how many the support differs from one item to another.
    """
    one, other = _within(user, moved), _within(user, support)
    low, high = percentiles(draws.correlation(one, other))
    users = len(np.unique(user[np.abs(other) > _ROUNDING]))
    return {
        "reading": correlation(one, other),
        "reading_low": low,
        "reading_high": high,
        "reading_users": float(users),
    }


def _within(user: Users, values: Scores) -> Scores:
    """``values`` less the mean of their user's."""
    _, code = np.unique(user, return_inverse=True)
    return np.asarray(values - (np.bincount(code, weights=values) / np.bincount(code))[code])


def is_better(row: Mapping[str, float]) -> bool:
    """Whether a row of ``difference`` shows a gain in UAUC."""
    return is_above_zero(row["uauc_low"], row["users"])


def is_above_zero(low: float, users: float) -> bool:
    """Whether an interval over ``users`` with both labels lies above 0: NaN does not, nor one over too few users."""
    return users >= ENOUGH_USERS and low > 0


def floor_probabilities(events: Sequence[Mapping[str, Any]]) -> dict[str, list[float]]:
    """What V must beat before its feedback means anything, as P(Yes) of each event.

    Always the overall share; the user's own share; and, of a V that starts at an offset, that offset alone.
    ``events``: label, user_id, n_liked, n_events of each event of the hold-out; offset (log-odds) where there is one.
    """
    liked, seen = sum(e["n_liked"] for e in events), sum(e["n_events"] for e in events)
    overall = liked / seen if seen else 0.5
    shares = [(e["n_liked"] + overall) / (e["n_events"] + 1) for e in events]
    floors = {CONSTANT: [overall] * len(events), USER_SHARE: shares}
    if events and all(e.get("offset") is not None for e in events):
        floors[OFFSET] = [probability(e["offset"]) for e in events]
    return floors


def quality_table(rows: Mapping[str, Mapping[str, float]]) -> str:
    """The figures as aligned text, one line a variant."""
    lines = [f"{'V sees':<17}" + "".join(f"{name:>11}" for name in QUALITY)]
    lines += [f"{variant:<17}" + "".join(f"{row[name]:>11.4f}" for name in QUALITY) for variant, row in rows.items()]
    return "\n".join(lines)


def _log_odds(p: Scores) -> Scores:
    return np.asarray(np.log(p / (1 - p)))
