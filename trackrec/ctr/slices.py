"""Parts of the test rows that are looked at apart, fixed before anything was measured: little known items and users."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from trackrec.ctr.as_of import counts_before
from trackrec.ctr.comparison import compare
from trackrec.ctr.gain import ALL
from trackrec.ctr.results import Measurement, SliceGain
from trackrec.ctr.roles import CONTROLS, PLAIN, RIVALS
from trackrec.ctr.samples import Samples, WindowRows

FEW_ITEM_EVENTS = (10, 50)  # test rows of items with fewer events among the training rows
FEW_USER_EVENTS = 20  # test rows of users with fewer events known before the row
MANY_USER_EVENTS = 100  # ... with at least as many
Mask = npt.NDArray[np.bool_]  # (test rows,)


def slice_masks(samples: Samples, rows: WindowRows) -> dict[str, Mask]:
    """Which test rows belong to each slice; ``rows`` are the run's.

    Events of an item are counted among the training rows; events of a user in every window, as known strictly before
    the row's event_time.
    """
    of_item = np.bincount(samples.item_all[rows.train], minlength=int(samples.item_all.max()) + 1)
    of_item = of_item[samples.item_all[rows.test]]
    of_user = counts_before(samples.user, samples.event_time, samples.known_time, samples.label)[0][rows.test]
    return {
        **{f"items < {few}": of_item < few for few in FEW_ITEM_EVENTS},
        f"users < {FEW_USER_EVENTS}": of_user < FEW_USER_EVENTS,
        f"users >= {MANY_USER_EVENTS}": of_user >= MANY_USER_EVENTS,
    }


def against(rival: str) -> str:
    """Name of the slice of all test rows in which the arm ``rival`` stands in plain's place."""
    return f"against {rival}"


def measure_slices(measurement: Measurement, masks: Mapping[str, Mask]) -> list[SliceGain]:
    """Every arm against plain on all test rows and on each slice, then what is under test against its rivals.

    A bootstrap of 10,000 rows takes 0.4 s an arm. BadInputError as ``Measurement.predictions``.
    """
    predictions = measurement.predictions()
    label, user, backbone = measurement.label, measurement.user, measurement.settings.backbone
    arms = {arm: predicted for arm, predicted in predictions.items() if arm != PLAIN}
    rows: list[SliceGain] = []
    for name, mask in {ALL: np.ones(len(label), dtype=bool), **masks}.items():
        of_arms = {arm: predicted[:, mask] for arm, predicted in arms.items()}
        rows += compare(name, label[mask], user[mask], predictions[PLAIN][:, mask], of_arms, backbone)
    tested = {arm: predicted for arm, predicted in arms.items() if arm not in CONTROLS}
    for rival in RIVALS:
        if rival in arms and tested:
            rows += compare(against(rival), label, user, arms[rival], tested, backbone)
    return rows


def measure_share(measurement: Measurement, share: float) -> list[SliceGain]:
    """A point of the learning curve: every arm against plain on all test rows, all fitted on this share of the rows."""
    predictions = measurement.predictions()
    plain = predictions.pop(PLAIN)
    name, backbone = f"train {100 * share:.0f} %", measurement.settings.backbone
    return compare(name, measurement.label, measurement.user, plain, predictions, backbone)
