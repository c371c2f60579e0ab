"""Which candidate each reward would have chosen, of the same answers of V; and which choice holds for other events.

python -m bench.rewards --conf conf/loop.yaml    # after `make loop`; a minute

Every history of the warehouse whose candidates V judged, whatever the round, of which all rewards can be told: two
distinct candidates that ended, ``feedback.min_events`` answers with both labels. A table of the rewards:

    same as pairs    share of the histories in which it chose the candidate that pairs chose
    longer           tokens of the chosen one less the mean of the others
    length_corr      correlation of reward and length within histories, before anything is taken out
    choices          by one half of a history's events, where the reward's own smallest gap lies between its candidates;
                     choice_users: of how many users
    chosen_by        by these, the chosen one's reward less the mean of its history's, in units of that reward
    held_back        V's pairs of the other half asked about the chosen one: its mean of σ(x_liked − x_not) there less
                     that of all candidates of its history, 95 % over users

``held_back`` says whether a choice by a few events is one of the RecCoT or of those events. V is the judge of both, so
it says nothing of whether V is right. Then Spearman's correlation of each two rewards, the mean over histories, and how
often they chose the same. Last line one JSON object.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from trackrec.feedback.held_back import Choices, HeldBack, over_users
from trackrec.feedback.length import length_effects
from trackrec.feedback.preferences import candidate_groups
from trackrec.feedback.rewards import HALVES, MIN_GAPS, rewards
from trackrec.feedback.verdicts import KEPT
from trackrec.runtime.errors import BadInputError
from trackrec.runtime.session import spark_session
from trackrec.runtime.settings import FeedbackSettings, Reward
from trackrec.runtime.settings_files import load_settings
from trackrec.tables.keys import key_of
from trackrec.tables.warehouse import Warehouse

_GROUP = ("prompt_key", "generator_version", "sampling", "validator_version")
_HELD_BACK = {"chosen_by": "chosen_by", "held_back": "gain", "low": "low", "high": "high"}
_KINDS: tuple[Reward, ...] = tuple(MIN_GAPS)


@dataclass(frozen=True)
class Judged:
    """One history's candidates: its user; tokens and rewards of each, in the order of samples.

    ``half`` and ``rest``: rewards over every other event and over those in between; None where there is none.
    """

    user: str
    tokens: Sequence[int]
    rewards: Sequence[float]
    half: Sequence[Any] = ()
    rest: Sequence[Any] = ()

    @property
    def chosen(self) -> int:
        """The place of the candidate with the largest reward, of equal ones the first."""
        return int(np.argmax(self.rewards))


Groups = Mapping[str, Judged]  # by history, G and V


def main() -> int:
    """Read the tables that the settings name, print the tables and the JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--conf", type=Path, default=Path("conf/loop.yaml"))
    settings = load_settings(parser.parse_args().conf)
    tables = Warehouse(spark_session(settings, "bench rewards"), settings.warehouse)
    figures = compared(*candidates_and_answers(tables), settings.feedback.min_events)
    print("\n".join(lines(figures)))
    print(json.dumps({"bench": "rewards"} | figures))
    return 0


def candidates_and_answers(tables: Warehouse) -> tuple[DataFrame, DataFrame]:
    """The candidates that V judged and its answers, with keys that hold G and V too: a history of each is another."""
    reccots = tables.read("reccots").where("status = 'ok'")
    question = ("row_key", "item_id", "event_time", "validator_version")  # of a title that was corrected the newest one
    newest = Window.partitionBy(*question).orderBy(F.desc("created_time"), "question_key")
    validations = tables.read("validations").withColumn("_age", F.row_number().over(newest)).where("_age = 1")
    judged_by = validations.select("row_key", "validator_version").distinct()
    judged = reccots.join(judged_by, "row_key").withColumn("prompt_key", key_of(*_GROUP))
    row_key = key_of("row_key", "validator_version")
    return judged.withColumn("row_key", row_key), validations.withColumn("row_key", row_key)


def compared(candidates: DataFrame, answers: DataFrame, min_events: int) -> dict[str, Any]:
    """All figures; BadInputError where no history can be compared."""
    whole = groups_of(candidates, answers, min_events)
    by_kind = {kind: found for kind, (found, _) in whole.items()}
    if not by_kind["pairs"]:
        raise BadInputError(
            "tables reccots and validations hold no history with two candidates that ended and pairs of next events.",
            "Run jobs/validate_reccot.py or jobs/alternate.py with this conf first; lower feedback.min_events.",
        )
    held = {kind: held_back(kind, found, by_kind["pairs"]) for kind, found in by_kind.items()}
    table = {
        kind: {
            "same_as_pairs": _rounded(same_choice(found, by_kind["pairs"]), 3),
            "longer": _rounded(longer(found), 2),
            "length_corr": _rounded(whole[kind][1], 3),
            "choices": held[kind].choices,
            "choice_users": held[kind].users,
            **{name: _rounded(getattr(held[kind], of), 5) for name, of in _HELD_BACK.items()},
        }
        for kind, found in by_kind.items()
    }
    pairs = {f"{a}/{b}": (by_kind[a], by_kind[b]) for a, b in combinations(by_kind, 2)}
    of_pairs = by_kind["pairs"]
    return {
        "histories": len(of_pairs),
        "candidates": sum(len(group.tokens) for group in of_pairs.values()),
        "users": len({group.user for group in of_pairs.values()}),
        "rewards": table,
        "spearman": {name: _rounded(spearman(*two), 3) for name, two in pairs.items()},
        "same_choice": {name: _rounded(same_choice(*two), 3) for name, two in pairs.items()},
    }


def groups_of(candidates: DataFrame, answers: DataFrame, min_events: int) -> dict[Reward, tuple[Groups, float]]:
    """Kind of reward → the groups in which all kinds can be told, and its length_corr there (NaN: none)."""
    kept: DataFrame | None = None
    found: dict[Reward, tuple[Groups, float]] = {}
    for kind in _KINDS:  # pairs first: what has no pair is in none
        settings = FeedbackSettings(reward=kind, min_events=min_events, next_events=max(min_events, 8))
        groups = candidate_groups(candidates, rewards(answers, settings), settings).where(F.col("verdict") == KEPT)
        groups = groups if kept is None else groups.join(kept, "prompt_key", "left_semi")
        groups = groups.select("prompt_key", "user_id", "candidates", "reward_kind", "verdict").persist()
        kept = groups.select("prompt_key") if kept is None else kept
        effects = length_effects(groups)
        corr = effects[kind].corr if kind in effects else float("nan")
        found[kind] = {row["prompt_key"]: _judged(row.asDict(recursive=True)) for row in groups.collect()}, corr
    return found


def held_back(kind: Reward, ranked: Groups, judged: Groups) -> HeldBack:
    """What ``ranked`` chooses by one half of the events, by the rewards of ``judged`` over the other half."""
    choices: dict[str, list[tuple[int, float, float]]] = {}
    for key, group in ranked.items():
        for by, rest in ((group.half, judged[key].rest), (group.rest, judged[key].half)):
            complete = None not in by and None not in rest
            if complete and max(by) - min(by) >= MIN_GAPS[kind]:
                best = int(np.argmax(by))
                choices.setdefault(group.user, []).append(
                    (1, rest[best] - float(np.mean(rest)), by[best] - float(np.mean(by)))
                )
    return over_users({user: Choices(*map(sum, zip(*of_user, strict=True))) for user, of_user in choices.items()})


def same_choice(one: Groups, other: Groups) -> float:
    """The share of groups in which both chose the same candidate."""
    return float(np.mean([group.chosen == other[key].chosen for key, group in one.items()]))


def spearman(one: Groups, other: Groups) -> float:
    """Spearman's correlation, the mean over groups; one whose rewards are all equal has none."""
    from scipy.stats import rankdata

    found = []
    for key, group in one.items():
        ranks = [rankdata(rewards) for rewards in (group.rewards, other[key].rewards)]
        if all(np.ptp(rank) > 0 for rank in ranks):
            found.append(np.corrcoef(*ranks)[0, 1])
    return float(np.mean(found)) if found else float("nan")


def longer(groups: Groups) -> float:
    """Tokens of the chosen one less the mean of the others, the mean over groups."""
    return float(np.mean([group.tokens[group.chosen] - np.mean(_others(group)) for group in groups.values()]))


def _rounded(value: float, digits: int) -> float | None:
    """For JSON, which knows no NaN."""
    return None if math.isnan(value) else round(value, digits)


def _others(group: Judged) -> list[int]:
    return [tokens for place, tokens in enumerate(group.tokens) if place != group.chosen]


def _judged(row: Mapping[str, Any]) -> Judged:
    candidates = row["candidates"]
    return Judged(row["user_id"], *([c[name] for c in candidates] for name in ("tokens", "reward", *HALVES)))


def lines(figures: Mapping[str, Any]) -> Iterator[str]:
    """The figures as a table of rewards and one of their pairs."""
    yield "{histories} histories of {users} users, {candidates} candidates".format_map(figures)
    names = ("same_as_pairs", "longer", "length_corr", "choices", "choice_users", *_HELD_BACK)
    yield f"{'':<12}" + "".join(f"{name:>15}" for name in names)
    for kind, row in figures["rewards"].items():
        yield f"{kind:<12}" + "".join(f"{_shown(row[name]):>15}" for name in names)
    yield f"\n{'':<24}{'Spearman':>12}{'same choice':>14}"
    for name, value in figures["spearman"].items():
        yield f"{name:<24}{_shown(value):>12}{_shown(figures['same_choice'][name]):>14}"


def _shown(value: float | None) -> str:
    return "–" if value is None else f"{value:g}"


if __name__ == "__main__":
    sys.exit(main())
