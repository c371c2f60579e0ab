"""What the gains mean, in sentences: for those who read the table, and one for a person who knows no AUC."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from trackrec.ctr.controls import PLANTED_SHARE
from trackrec.ctr.gain import ALL, FOUND, Gain
from trackrec.ctr.results import GainRow, SliceGain
from trackrec.ctr.roles import CONTROLS, FACTS, ITEM_DESCRIPTION, PERMUTED, PLANTED, RECCOT, RIVALS, TALLIES
from trackrec.ctr.run_settings import settings_in
from trackrec.ctr.slices import against

_PAIRS = 10_000  # AUC to four decimals is a whole number of them
_FEATURES = {RECCOT: "the RecCoTs", ITEM_DESCRIPTION: "the item descriptions"}
_RIVALS = {PERMUTED: "texts about other users", TALLIES: "the counts alone", FACTS: "the facts without a RecCoT"}


def still_learning(rows: Sequence[GainRow]) -> str | None:
    """How many fits ctr.epochs ended before ctr.patience could; None where it ended none, or rows do not say."""
    fits = [(row.epoch, settings_in(row.settings)) for row in rows if row.epoch is not None]
    ended = [of for kept, of in fits if "epochs" in of and kept > of["epochs"] - of["patience"]]
    if not ended:
        return None
    return (
        f"{len(ended)} of {len(fits)} fits were ended by ctr.epochs ({ended[0]['epochs']}), where they may still have "
        "been learning: raise it"
    )


def planted_verdict(gains: Mapping[str, Gain]) -> str:
    """Whether the instrument finds what was planted; where it does not, no other row can be trusted."""
    planted = gains.get(PLANTED)
    if planted is None:
        return f"no signal was planted (arm {PLANTED}): whether this instrument would find one is unknown"
    worth = f"{planted.planted_worth:+.4f}" if planted.planted_worth is not None else "a signal"
    low, high = planted.interval
    figures = (
        f"{planted.mean:+.4f} of {worth} planted at {100 * PLANTED_SHARE:.0f} % of a vector's variance (95 % interval "
        f"{low:+.4f} to {high:+.4f})"
    )
    if planted.planted_found:
        return f"the instrument finds {figures}"
    return (
        f"the instrument does not find what was planted: {figures}; {_why_not_found(planted)}. No other row of this "
        "table can be trusted"
    )


def _why_not_found(planted: Gain) -> str:
    """What of both is missing, an interval above 0 and enough of the worth, and a way out."""
    low, high = planted.interval
    needed, share = FOUND * (planted.planted_worth or 0.0), f"{100 * FOUND:.0f} % of its worth"
    if np.isnan(low):
        return "no interval was stored"
    reasons = [] if low > 0 else ["the interval contains 0"]
    reasons += [] if planted.mean >= needed else [f"less than {share} comes out"]
    if high >= needed:
        return (
            f"{' and '.join(reasons)}: too few test users or seeds to tell chance from a signal; take more users or "
            "seeds (histories.max_users, ctr.seeds)"
        )
    few = "too few training rows have vectors to learn from"
    return f"{' and '.join(reasons)}: {few}; take more users (histories.max_users)"


def control_verdicts(gains: Mapping[str, Gain], slices: Sequence[SliceGain]) -> list[str]:
    """Sentences about the negative control, and of RecCoTs with a gain above 0 that do not beat their rivals.

    ``slices`` are the rows of ``gain_slices`` of the same run and backbone; those against a rival say whether RecCoTs
    beat it beyond chance. Without such a row the means are compared.
    """
    verdicts = []
    if PERMUTED in gains:
        verdicts += _permuted_verdict(gains[PERMUTED], slices)
    for arm in gains:
        if _is_of_reccots(arm) and gains[arm].mean > 0:
            verdicts += _rival_verdicts(arm, gains, {row.slice: row for row in slices if row.arm == arm})
    return verdicts


def _permuted_verdict(gain: Gain, slices: Sequence[SliceGain]) -> list[str]:
    """A sentence where texts about other users gain by their interval, in AUC or in log-loss."""
    found = []
    if gain.interval[0] > 0:
        # By its seeds' spread alone the same gain is within noise in its own line of the table.
        varies = len(gain.differences) > 1 and not gain.is_gain
        beyond = ", above 0 although its seeds differ" if varies else ""
        found.append(f"AUC {gain.mean:+.4f} (95 % interval {gain.interval[0]:+.4f} to {gain.interval[1]:+.4f}{beyond})")
    found += [
        f"log-loss {row.logloss_change:+.4f} (95 % interval {row.logloss_low:+.4f} to {row.logloss_high:+.4f})"
        for row in slices
        if row.arm == PERMUTED and row.slice == ALL and row.logloss_high < 0
    ]
    if not found:
        return []
    return [
        f"{PERMUTED}: texts about other users gain too, {' and '.join(found)}: a gain of that size in another arm is "
        "not shown to come from what its texts say"
    ]


def _is_of_reccots(arm: str) -> bool:
    """RecCoTs of G: the arm reccot, and every feature version by name."""
    return arm not in (*CONTROLS, ITEM_DESCRIPTION)


def _rival_verdicts(arm: str, gains: Mapping[str, Gain], rows: Mapping[str, SliceGain]) -> list[str]:
    verdicts = []
    for rival in (rival for rival in RIVALS if rival in gains):
        row = rows.get(against(rival))
        if gains[rival].mean >= gains[arm].mean:
            verdicts.append(f"{arm} brings no more than its control {rival}: the texts earn nothing")
        elif row is not None and not row.low > 0:
            verdicts.append(
                f"{arm} is not shown to bring more than its control {rival} ({row.gain:+.4f}, 95 % interval "
                f"{row.low:+.4f} to {row.high:+.4f}): the texts earn nothing that this design can show"
            )
    return verdicts


def floor_verdicts(arms: Mapping[str, Sequence[float]], floors: Mapping[str, float]) -> list[str]:
    """A sentence for each network whose mean test AUC is below the highest floor.

    ``arms``: test AUCs of the seeds by arm; ``floors``: test AUC by floor.
    """
    highest, height = max(floors.items(), key=lambda floor: floor[1])
    means = {arm: float(np.mean(scores)) for arm, scores in arms.items()}
    return [
        f"{arm}: {mean:.4f} is below the floor {highest} ({height:.4f}): this network is not yet a serious baseline"
        for arm, mean in means.items()
        if mean < height
    ]


def plain_words(plain_auc: float, gains: Mapping[str, Gain], slices: Sequence[SliceGain]) -> str | None:
    """The verdict for a person who knows no AUC, which is the share of pairs that are in the right order.

    About RecCoTs, or else the first arm that is no control; None where there is none. ``plain_auc``: mean over seeds.
    """
    tested = [arm for arm in gains if arm not in CONTROLS]
    if not tested:
        return None
    arm = RECCOT if RECCOT in tested else tested[0]
    features = _FEATURES.get(arm, f"the features of arm {arm}")
    before = (
        f"Of {_PAIRS:,} pairs of a liked and a not liked item the model puts {_pairs(plain_auc)} in the right order "
        f"(guessing: {_pairs(0.5)}), with {features} {_change(gains[arm].mean)}."
    )
    return f"{before} {_meaning(gains, arm, slices)}"


def _meaning(gains: Mapping[str, Gain], arm: str, slices: Sequence[SliceGain]) -> str:
    gain, smallest = gains[arm], gains[arm].minimum_detectable
    if PLANTED in gains and not gains[PLANTED].planted_found:
        return "But this test misses even a signal that was put in on purpose: it says nothing about them."
    if len(gain.differences) < 2:
        return "One training run cannot tell that from chance."
    if gain.is_loss:
        return "That is more than chance: they make the model worse."
    if not gain.is_gain:
        return f"That is less than this test can tell from chance; 8 times in 10 it would see {_pairs(smallest)}."
    rivals = [rival for rival in RIVALS if _unbeaten(rival, gains, arm, slices)] if _is_of_reccots(arm) else []
    if rivals:
        return f"That is more than chance, but {' and '.join(map(_RIVALS.__getitem__, rivals))} may do as much."
    return "That is more than chance: they make the model better."


def _unbeaten(rival: str, gains: Mapping[str, Gain], arm: str, slices: Sequence[SliceGain]) -> bool:
    """Whether the arm is not shown to be better than ``rival``."""
    rows = [row for row in slices if row.arm == arm and row.slice == against(rival)]
    return rival in gains and (gains[rival].mean >= gains[arm].mean or any(not row.low > 0 for row in rows))


def _pairs(share: float) -> str:
    return "an unknown number" if np.isnan(share) else f"{round(share * _PAIRS):,}"


def _change(gain: float) -> str:
    pairs = round(abs(gain) * _PAIRS)
    return "no more" if pairs == 0 else f"{pairs:,} {'more' if gain > 0 else 'fewer'}"
