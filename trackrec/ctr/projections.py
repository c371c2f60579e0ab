"""How a run whitened vectors, as rows that a model which serves such features can repeat it from."""

from __future__ import annotations

from dataclasses import dataclass

from trackrec.ctr.experiment import Experiment
from trackrec.ctr.whitening import Whitening

ALL_ARMS = "all"  # stands for the arm where every arm reads the input


@dataclass(frozen=True, kw_only=True)
class Projection:
    """One row of ``feature_projections``, without the columns that say who wrote it and when."""

    arm: str
    vector: str
    feature_version: str | None
    mean: list[float]
    components: list[list[float]]
    deviation: list[float]


def projections_of(experiment: Experiment) -> list[Projection]:
    """Of the items' texts, which all arms read, and of each arm that does not depend on the seed."""
    items = experiment.common.item_whitening
    rows = [] if items is None else [_row(ALL_ARMS, "item", None, items)]
    for arm, features in experiment.arms.fixed_features().items():
        rows += [_row(arm, name, features.version, map_) for name, map_ in features.projections.items()]
    return rows


def _row(arm: str, vector: str, version: str | None, whitening: Whitening) -> Projection:
    return Projection(
        arm=arm,
        vector=vector,
        feature_version=version,
        mean=whitening.mean.tolist(),
        components=whitening.components.tolist(),
        deviation=whitening.deviation.tolist(),
    )
