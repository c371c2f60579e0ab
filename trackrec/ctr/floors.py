"""Two floors that learn nothing: a network that loses to them is not a serious baseline.

Both are fitted on the labels of the rows that the network trains on, and on nothing later.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from trackrec.ctr.as_of import counts_before
from trackrec.ctr.samples import Samples
from trackrec.metrics.arrays import Ints, Scores

SHRINKAGE = 5.0  # how many events of average taste each share is mixed with
USER_WEIGHT = 0.7  # of the user's share of likes beside the item's mean; chosen on MovieLens-100k, not fitted here


def shrunk_share(liked: Ints, events: Ints, overall: float | Scores) -> Scores:
    """Share of likes, drawn towards ``overall`` by SHRINKAGE events."""
    return np.asarray((liked + SHRINKAGE * overall) / (events + SHRINKAGE))


def item_mean(samples: Samples, fitted: Ints) -> Scores:
    """Each sample's item: its share of likes among the rows ``fitted``, shrunk to their overall share; shape (rows,).

    Uses the training window only, so for validation and test rows nothing but the past, unless windows follow a split
    of the log that does not follow time. A row in ``fitted`` counts itself: score validation and test rows with it,
    never training rows.
    """
    size = int(samples.item_all.max()) + 1
    events = np.bincount(samples.item_all[fitted], minlength=size)
    liked = np.bincount(samples.item_all[fitted], weights=samples.label[fitted], minlength=size)
    return shrunk_share(liked, events, float(samples.label[fitted].mean()))[samples.item_all]


def item_mean_user_share(samples: Samples, fitted: Ints) -> Scores:
    """``item_mean`` + 0.7 × (the user's share of likes − the overall share), kept within 0.01 and 0.99 for log-loss.

    The user's share is of every event of that user known strictly before the sample's event_time, in any window, the
    alignment window included, shrunk to the overall share of ``fitted``.
    """
    overall = float(samples.label[fitted].mean())
    events, liked = counts_before(samples.user, samples.event_time, samples.known_time, samples.label)
    share = shrunk_share(liked, events, overall)
    return np.clip(item_mean(samples, fitted) + USER_WEIGHT * (share - overall), 0.01, 0.99)


FLOOR = "floor"  # stands where a network's row names its backbone
FLOORS: dict[str, Callable[[Samples, Ints], Scores]] = {
    "item_mean": item_mean,
    "item_mean_user_share": item_mean_user_share,
}
