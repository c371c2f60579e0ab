"""Where a gain could still come from: what plain's errors on the test rows have in common.

python -m bench.headroom --conf conf/gain.yaml    # after bench.gain --without-generator; 3 fits, a minute

An oracle looks at the answers: for a fifth of the test rows it knows how plain erred on the other four fifths, on
average for the same user, item, user and attribute, or user and kind of item (k-means of the items' text vectors), each
mean shrunk by ten rows without error. That number goes beside plain's logit with one weight, and what it brings is what
can be seen of how much a user likes things in general, of how good an item is, of taste. A user's taste is read from
errors less those that the user's rows have in common.

Small groups hide much from it. So an effect of the same kind is planted in labels drawn anew from plain's
probabilities, .5 of log-odds a group, and beside the oracle's gain stand what the planted effect is worth and how much
of that the oracle sees: where it sees a tenth, a gain of +.001 stands for +.010. Last line one JSON object.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from trackrec.metrics.ranking import auc
from trackrec.models.threads import use_threads
from trackrec.runtime.settings_files import load_settings
from trackrec.tables.lake import Lake

_FOLDS, _PRIOR, _KINDS = 5, 10, 20
_EFFECT, _DRAWS = 0.5, 5  # standard deviation of the planted effect in log-odds; how often it is drawn
Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Groups:
    """Which test rows belong together: row ``row[i]`` is in group ``group[i]``; a row may be in several groups."""

    row: Array
    group: Array


def main() -> int:
    """Fit plain, let the oracles look, print a line each and the JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--conf", type=Path, default=Path("conf/gain.yaml"))
    parser.add_argument("--set", action="append", default=[], help="key=value, as of every job")
    arguments = parser.parse_args()
    chosen = ["ctr.arms=[plain]", "ctr.seeds=[1,2,3]", *arguments.set]
    settings = load_settings(arguments.conf, chosen)
    use_threads(settings.ctr.threads)
    from trackrec.ctr.comparison import compare
    from trackrec.ctr.experiment import read_experiment
    from trackrec.ctr.seeds import measure_seeds

    experiment = read_experiment(settings.ctr, Lake(settings.warehouse))
    plain = np.stack([result.predicted for (result,) in measure_seeds(experiment, 1.0, lambda _: None)])
    label, user = experiment.test_label, experiment.test_user
    all_groups = _groups(experiment)
    oracles = {
        name: np.stack(
            [with_oracle(predicted, label, user, groups, taste=name.startswith("taste")) for predicted in plain]
        )
        for name, groups in all_groups.items()
    }
    figures = {}
    for row in compare("all", label, user, plain, oracles, settings.ctr.backbone):
        worth, seen = planted_gains(plain.mean(axis=0), user, all_groups[row.arm], taste=row.arm.startswith("taste"))
        figures[row.arm] = {"gain": round(row.gain, 4), "low": round(row.low, 4), "high": round(row.high, 4)}
        figures[row.arm] |= {"planted": round(worth, 4), "planted_seen": round(seen, 4)}
        print(
            f"{row.arm:<40} {row.gain:+.4f}  {row.low:+.4f} to {row.high:+.4f}  "
            f"of {worth:+.4f} planted it sees {seen:+.4f}"
        )
    print(json.dumps({"bench": "headroom", "plain_auc": round(row.reference_auc, 4), "oracles": figures}))
    return 0


def _groups(experiment: Any) -> Mapping[str, Groups]:
    from sklearn.cluster import KMeans

    samples, test = experiment.samples, experiment.rows.test
    rows, user, item = np.arange(len(test)), samples.user[test], samples.item_all[test]
    inputs = experiment.common.item_inputs.numpy()
    words = experiment.settings.components
    kind = KMeans(_KINDS, random_state=0, n_init=4).fit_predict(inputs[:, :words])[item]
    row, attribute = np.nonzero(inputs[item][:, words:])
    return {
        "level: the user's rows": Groups(rows, user),
        "quality: the item's rows": Groups(rows, item),
        "taste: the user's rows with an attribute": Groups(row, user[row] * inputs.shape[1] + attribute),
        "taste: the user's rows of a kind": Groups(rows, user * _KINDS + kind),
    }


def with_oracle(predicted: Array, label: Array, user: Array, groups: Groups, *, taste: bool) -> Array:
    """Probabilities (rows,) of plain's logit and the mean error of other rows of the same group.

    ``taste``: errors less the mean error of their user's rows that the oracle sees.
    """
    from sklearn.linear_model import LogisticRegression

    fold = np.random.default_rng(0).integers(0, _FOLDS, len(label))
    error, signal = label - predicted, np.zeros(len(label))
    for number in range(_FOLDS):
        seen = fold != number
        left = error - _of_users(error, user, seen) if taste else error
        signal = np.where(seen, signal, _means(left, groups, seen, prior=_PRIOR))
    inputs = np.column_stack([_logit(predicted), signal * 10])
    model = LogisticRegression(C=1e6, max_iter=1000).fit(inputs, label)
    return np.asarray(model.predict_proba(inputs)[:, 1])


def planted_gains(predicted: Array, user: Array, groups: Groups, *, taste: bool) -> tuple[float, float]:
    """(AUC that a planted effect of the groups is worth, AUC that the oracle sees of it), means over a few draws.

    ``predicted``: plain's probabilities (rows,), from which labels are drawn once the effect was added to their logits.
    ``taste``: the effect less its mean over the user's rows.
    """
    gains = []
    for draw in range(_DRAWS):
        random = np.random.default_rng(draw)
        of_group = random.standard_normal(int(groups.group.max()) + 1)
        effect = np.bincount(groups.row, weights=of_group[groups.group], minlength=len(user))
        if taste:
            effect = effect - _of_users(effect, user, np.ones(len(user), dtype=bool))
        truth = 1 / (1 + np.exp(-_logit(predicted) - _EFFECT * effect / effect.std()))
        label = (random.random(len(user)) < truth).astype(int)
        with_it = with_oracle(predicted, label, user, groups, taste=taste)
        plain = auc(label, predicted)
        gains.append((auc(label, truth) - plain, auc(label, with_it) - plain))
    worth, seen = np.mean(gains, axis=0)
    return float(worth), float(seen)


def _logit(predicted: Array) -> Array:
    kept = np.clip(predicted, 1e-6, 1 - 1e-6)
    return np.asarray(np.log(kept) - np.log1p(-kept))


def _of_users(error: Array, user: Array, seen: Array) -> Array:
    """Of each row the mean ``error`` of its user's rows that are ``seen``; (rows,)."""
    return _means(error, Groups(np.arange(len(user)), user), seen, prior=0)


def _means(error: Array, groups: Groups, seen: Array, prior: float) -> Array:
    """Of each row the mean over its groups of the groups' mean ``error`` over the rows ``seen``, shrunk; (rows,)."""
    size = int(groups.group.max(initial=-1)) + 1
    known = seen[groups.row]
    total = np.bincount(groups.group[known], weights=error[groups.row[known]], minlength=size)
    count = np.bincount(groups.group[known], minlength=size)
    mean = total / np.maximum(count + prior, 1)
    of_row = np.bincount(groups.row, weights=mean[groups.group], minlength=len(error))
    return np.asarray(of_row / np.maximum(np.bincount(groups.row, minlength=len(error)), 1))


if __name__ == "__main__":
    sys.exit(main())
