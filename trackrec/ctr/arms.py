"""The arms of the experiment: which features each one puts beside the same backbone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from trackrec.ctr.features import Features, no_features, random_features, reccot_features, two_number_features
from trackrec.ctr.samples import Samples
from trackrec.runtime.errors import BadInputError
from trackrec.runtime.settings import CtrSettings
from trackrec.tables.lake import Lake

PLAIN = "plain"  # no features; the others' gains are measured against it
CONTROLS = ("random_vector", "two_numbers")  # what RecCoTs must beat for their texts to count


@dataclass(frozen=True)
class Arms:
    """The arms of one run, plain first, and the features that were read for them."""

    names: tuple[str, ...]
    stored: Mapping[str, Features]

    def features(self, arm: str, seed: int) -> Features:
        """Features of an arm; only the random vector's depend on the seed."""
        if arm == "random_vector":
            return random_features(self.stored["reccot"], seed)
        return self.stored[arm]


def read_arms(settings: CtrSettings, lake: Lake, samples: Samples) -> Arms:
    """The arms of ``settings``. BadInputError: plain is missing, or a table, or features that no training row joins."""
    if PLAIN not in settings.arms:
        raise BadInputError("ctr.arms lacks plain, and gains are measured against it.", "Add plain to ctr.arms.")
    names = tuple(dict.fromkeys((PLAIN, *settings.arms)))
    stored: dict[str, Features] = {PLAIN: no_features(samples)}
    if {"reccot", "random_vector"} & set(names):
        stored["reccot"] = reccot_features(lake, samples, settings.feature_version)
        _check_coverage("reccot_vectors", stored["reccot"], samples)
    if "two_numbers" in names:
        stored["two_numbers"] = two_number_features(lake, samples)
        _check_coverage("user_histories", stored["two_numbers"], samples)
    return Arms(names, stored)


def _check_coverage(table: str, features: Features, samples: Samples) -> None:
    if features.coverage(samples.rows("ctr_train", in_scope_only=True)) == 0:
        raise BadInputError(
            f"table {table} has no snapshot at or before any CTR training row of users in scope.",
            "Run jobs/nightly.py over the CTR windows first, or take the arm out of ctr.arms.",
        )
