"""The experiment: every arm and seed on the same rows, test read once each, next to two floors that learn nothing."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from trackrec.ctr.arms import PLAIN, Arms, read_arms
from trackrec.ctr.dataset import CommonInputs, Dataset
from trackrec.ctr.floors import FLOOR, FLOORS
from trackrec.ctr.results import ArmResult, GainRow, Sizes
from trackrec.ctr.samples import Samples, load_samples
from trackrec.ctr.training import fit, predict
from trackrec.metrics.arrays import Ints, Labels, Scores
from trackrec.metrics.probability import logloss
from trackrec.metrics.ranking import auc
from trackrec.runtime.settings import CtrSettings
from trackrec.tables.lake import Lake


@dataclass(frozen=True)
class Experiment:
    """Inputs of one run of the CTR job.

    Training and both floors use the CTR train window of all users (``ctr.train_users``), validation and test only users
    in scope, as only they have features.
    """

    settings: CtrSettings
    samples: Samples
    common: CommonInputs
    arms: Arms
    train: Ints  # row numbers
    validation: Ints
    test: Ints

    @property
    def test_label(self) -> Labels:
        """Labels of the test rows."""
        return self.samples.label[self.test]

    @property
    def test_user(self) -> Ints:
        """Users of the test rows, as codes."""
        return self.samples.user[self.test]

    @property
    def sizes(self) -> Sizes:
        """How many rows each part uses, and leaves out."""
        late = self.samples.late_rows("ctr_train", _in_scope_only(self.settings))
        late += self.samples.late_rows("ctr_validation", in_scope_only=True)
        users = len(np.unique(self.test_user))
        return Sizes(len(self.train), len(self.validation), len(self.test), users, late)


def read_experiment(settings: CtrSettings, lake: Lake) -> Experiment:
    """Read all inputs; raises BadInputError where they do not allow a measurement."""
    samples = load_samples(lake)
    return Experiment(
        settings=settings,
        samples=samples,
        arms=read_arms(settings, lake, samples),
        common=CommonInputs.of(samples, settings.history),
        train=samples.rows("ctr_train", _in_scope_only(settings)),
        validation=samples.rows("ctr_validation", in_scope_only=True),
        test=samples.rows("ctr_test", in_scope_only=True),
    )


def measure_floors(experiment: Experiment) -> list[GainRow]:
    """A row of each floor, fitted on the rows that the networks train on."""
    label, validation = experiment.samples.label, experiment.validation
    rows = []
    for name, floor in FLOORS.items():
        scores = floor(experiment.samples, experiment.train)
        validation_auc = auc(label[validation], scores[validation])
        rows.append(_row(experiment, name, FLOOR, scores[experiment.test], validation_auc))
    return rows


def measure_seed(experiment: Experiment, seed: int) -> Iterator[ArmResult]:
    """Fit every arm with ``seed``, plain first, and read test once for each."""
    plain_auc = float("nan")
    for arm in experiment.arms.names:
        began = time.perf_counter()
        features = experiment.arms.features(arm, seed)
        data = Dataset(experiment.common, features)
        fitted = fit(data, experiment.train, experiment.validation, experiment.settings, seed)
        seconds = time.perf_counter() - began
        predicted = predict(fitted.model, data, experiment.test)
        row = _row(experiment, arm, experiment.settings.backbone, predicted, fitted.validation_auc)
        plain_auc = row.test_auc if arm == PLAIN else plain_auc
        row = replace(
            row,
            seed=seed,
            feature_version=features.version,
            auc_gain=row.test_auc - plain_auc,
            coverage=features.coverage(experiment.test),
        )
        yield ArmResult(row, predicted, fitted.epoch, seconds)


def _row(experiment: Experiment, arm: str, backbone: str, predicted: Scores, validation_auc: float) -> GainRow:
    return GainRow(
        arm=arm,
        backbone=backbone,
        test_auc=auc(experiment.test_label, predicted),
        test_logloss=logloss(experiment.test_label, predicted),
        validation_auc=validation_auc,
        train_rows=len(experiment.train),
        test_rows=len(experiment.test),
    )


def _in_scope_only(settings: CtrSettings) -> bool:
    return settings.train_users == "in_scope"
