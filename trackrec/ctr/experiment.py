"""The experiment: every arm and seed on the same rows, test read once each, next to two floors that learn nothing."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

import numpy as np
import torch

from trackrec.ctr.dataset import Dataset
from trackrec.ctr.features import (
    Features,
    no_features,
    random_features,
    reccot_features,
    two_number_features,
)
from trackrec.ctr.floors import item_mean, item_mean_user_share
from trackrec.ctr.gain import Gain, Scores, auc, bootstrap_interval, logloss
from trackrec.ctr.samples import Samples, load_samples
from trackrec.ctr.training import fit, predict
from trackrec.runtime.errors import BadInputError
from trackrec.runtime.settings import CtrSettings, Settings
from trackrec.tables.lake import Lake

Row = dict[str, Any]  # one row of feature_gain
FLOORS = {"item_mean": item_mean, "item_mean_user_share": item_mean_user_share}


class Measurement:
    """Inputs of one run of the CTR job, and the rows of ``feature_gain`` found so far.

    Which rows: training and both floors use the CTR train window of all users (``ctr.train_users``), validation and
    test only users in scope, as only they have features. Reading the inputs raises BadInputError before anything is
    trained or written.
    """

    def __init__(self, settings: Settings, lake: Lake, run_id: str, now: Callable[[], datetime]) -> None:
        self.settings: CtrSettings = settings.ctr
        if "plain" not in self.settings.arms:
            raise BadInputError("ctr.arms lacks plain, and gains are measured against it.", "Add plain to ctr.arms.")
        torch.set_num_threads(self.settings.threads)
        self.run_id, self._now = run_id, now
        self.samples = load_samples(lake)
        self.arms = tuple(dict.fromkeys(("plain", *self.settings.arms)))
        self._features = _read_features(self.settings, lake, self.samples, self.arms)
        self._data = Dataset(self.samples, self.settings.history, self._features["plain"])
        self.train = self.samples.rows("ctr_train", self.settings.train_users == "in_scope")
        self.validation = self.samples.rows("ctr_validation", in_scope_only=True)
        self.test = self.samples.rows("ctr_test", in_scope_only=True)
        self.rows: list[Row] = []
        self._predictions: dict[str, list[Scores]] = {arm: [] for arm in self.arms}

    def floors(self) -> list[Row]:
        """Rows of the two floors, fitted on the rows that the networks train on."""
        found = []
        for name, score in FLOORS.items():
            scores = score(self.samples, self.train)
            valid = auc(self.samples.label[self.validation], scores[self.validation])
            found.append(self._row(name, None, scores[self.test], valid, backbone="floor"))
        self.rows += found
        return found

    def run_seed(self, seed: int, say: Callable[[str], None]) -> list[Row]:
        """Fit every arm with ``seed``, plain first, and read test once for each. ``say`` gets a line an arm."""
        found: list[Row] = []
        for arm in self.arms:
            began = time.perf_counter()
            features = self._features["reccot"] if arm == "random_vector" else self._features[arm]
            data = self._data.with_features(random_features(features, seed) if arm == "random_vector" else features)
            fitted = fit(data, self.train, self.validation, self.settings, seed)
            seconds = time.perf_counter() - began
            say(
                f"{arm:<14} seed {seed}: validation AUC {fitted.validation_auc:.4f} "
                f"at epoch {fitted.epoch}, {seconds:.1f} s"
            )
            predicted = predict(fitted.model, data, self.test)
            self._predictions[arm].append(predicted)
            row = self._row(arm, seed, predicted, fitted.validation_auc, backbone=self.settings.backbone)
            row["coverage"] = features.coverage(self.test)
            row["feature_version"] = features.version if arm == "reccot" else None
            row["auc_gain"] = row["test_auc"] - (found[0] if found else row)["test_auc"]
            found.append(row)
        self.rows += found
        return found

    def gains(self) -> dict[str, Gain]:
        """Each arm's gain on plain over the seeds run so far."""
        averaged = {arm: np.mean(scores, axis=0) for arm, scores in self._predictions.items()}
        label, user = self.samples.label[self.test], self.samples.user[self.test]
        return {
            arm: Gain(
                arm,
                tuple(row["auc_gain"] for row in self.rows if row["arm"] == arm),
                bootstrap_interval(label, user, averaged["plain"], averaged[arm]),
            )
            for arm in self.arms
            if arm != "plain"
        }

    def _row(self, arm: str, seed: int | None, test: Scores, validation_auc: float, *, backbone: str) -> Row:
        label = self.samples.label[self.test]
        return {
            "run_id": self.run_id,
            "arm": arm,
            "seed": seed,
            "feature_version": None,
            "backbone": backbone,
            "test_auc": auc(label, test),
            "test_logloss": logloss(label, test),
            "validation_auc": validation_auc,
            "auc_gain": None,
            "train_rows": len(self.train),
            "test_rows": len(self.test),
            "coverage": 0.0,
            "created_time": self._now(),
        }


def _read_features(settings: CtrSettings, lake: Lake, samples: Samples, arms: tuple[str, ...]) -> dict[str, Features]:
    features = {"plain": no_features(samples)}
    if {"reccot", "random_vector"} & set(arms):
        features["reccot"] = reccot_features(lake, samples, settings.feature_version)
    if "two_numbers" in arms:
        features["two_numbers"] = two_number_features(lake, samples)
    for name, feature in features.items():
        if name != "plain" and feature.coverage(samples.rows("ctr_train", True)) == 0:
            table = "reccot_vectors" if name == "reccot" else "user_histories"
            raise BadInputError(
                f"table {table} has no snapshot at or before any CTR training row of users in scope.",
                "Run jobs/nightly.py over the CTR windows first, or take the arm out of ctr.arms.",
            )
    return features
