"""The experiment: every arm and seed on the same rows, test read once each, next to two floors that learn nothing."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from trackrec.ctr.arms import ArmInputs, Arms, Seed, read_arms
from trackrec.ctr.dataset import CommonInputs, Dataset
from trackrec.ctr.floors import FLOOR, FLOORS
from trackrec.ctr.items import no_item_texts, read_item_texts
from trackrec.ctr.reccots import newest_encoder
from trackrec.ctr.results import ArmResult, GainRow, Measurement, Sizes, figures_on_test
from trackrec.ctr.roles import PLAIN, PLANTED, WITHOUT_ITEM_TEXT
from trackrec.ctr.run_settings import settings_text
from trackrec.ctr.samples import Samples, WindowRows, load_samples
from trackrec.ctr.training import fit, predict
from trackrec.metrics.arrays import Ints, Labels, Scores
from trackrec.metrics.ranking import auc
from trackrec.runtime.settings import CtrSettings
from trackrec.tables.lake import Lake


@dataclass(frozen=True)
class Experiment:
    """Inputs of one run of the CTR job.

    Training and both floors use the CTR train window of all users (``ctr.train_users``), early stopping all rows of the
    validation window, test only users in scope, as only they have features.
    """

    settings: CtrSettings
    samples: Samples
    common: CommonInputs
    arms: Arms
    rows: WindowRows

    def common_of(self, arm: str) -> CommonInputs:
        """What ``arm`` reads besides its features: alike for all arms but the one that goes without the catalogue."""
        return self.common.without_item_texts() if arm == WITHOUT_ITEM_TEXT else self.common

    def of_backbone(self, backbone: str) -> Experiment:
        """The same inputs for another network."""
        return replace(self, settings=self.settings.model_copy(update={"backbone": backbone}))

    def of_arms(self, names: Iterable[str]) -> Experiment:
        """With these of its arms only; plain stays the first."""
        chosen = {PLAIN, *names}
        return replace(self, arms=replace(self.arms, names=tuple(n for n in self.arms.names if n in chosen)))

    def measurement(self, floors: Iterable[GainRow], results: Iterable[ArmResult]) -> Measurement:
        """What was measured of it."""
        return Measurement(self.settings, self.sizes, self.test_label, self.test_user, tuple(floors), tuple(results))

    @property
    def test_label(self) -> Labels:
        """Labels of the test rows."""
        return self.samples.label[self.rows.test]

    @property
    def test_user(self) -> Ints:
        """Users of the test rows, as codes."""
        return self.samples.user[self.rows.test]

    @property
    def sizes(self) -> Sizes:
        """How many rows each part uses, and leaves out."""
        late = self.samples.late_rows("ctr_train", _in_scope_only(self.settings))
        late += self.samples.late_rows("ctr_validation", in_scope_only=False)
        users, rows = len(np.unique(self.test_user)), self.rows
        return Sizes(len(rows.train), len(rows.validation), len(rows.test), users, late)


def read_experiment(settings: CtrSettings, lake: Lake) -> Experiment:
    """Read all inputs; raises BadInputError where they do not allow a measurement."""
    samples = load_samples(lake)
    rows = WindowRows(
        train=samples.rows("ctr_train", _in_scope_only(settings)),
        validation=samples.rows("ctr_validation", in_scope_only=False),
        test=samples.rows("ctr_test", in_scope_only=True),
    )
    texts = (
        read_item_texts(lake, samples, encoder=newest_encoder(lake)) if settings.item_texts else no_item_texts(samples)
    )
    common = CommonInputs.of(samples, texts, settings.history, settings.components, rows.train)
    return Experiment(
        settings=settings,
        samples=samples,
        common=common,
        arms=read_arms(ArmInputs(settings, lake, samples, texts, common, rows)),
        rows=rows,
    )


def measure_floors(experiment: Experiment) -> list[GainRow]:
    """A row of each floor, fitted on the rows that the networks train on."""
    label, validation = experiment.samples.label, experiment.rows.validation
    rows = []
    for name, floor in FLOORS.items():
        scores = floor(experiment.samples, experiment.rows.train)
        validation_auc = auc(label[validation], scores[validation])
        rows.append(_row(experiment, name, FLOOR, scores[experiment.rows.test], validation_auc))
    return rows


def measure_seed(experiment: Experiment, number: int, share: float = 1.0) -> Iterator[ArmResult]:
    """Fit every arm with seed ``number``, plain first, and read test once for each.

    ``share``: of the training rows, drawn by the seed, the same for every arm; an epoch has as many steps as of all.
    """
    plain_auc, seed = float("nan"), Seed(number, None)
    train = _share_of(experiment.rows.train, share, number)
    for arm in experiment.arms.names:
        began = time.perf_counter()
        features = experiment.arms.features(arm, seed)
        data = Dataset(experiment.common_of(arm), features)
        fitted = fit(data, train, experiment.rows.validation, experiment.settings, number, passes=round(1 / share))
        seconds = time.perf_counter() - began
        predicted = predict(fitted.model, data, experiment.rows.test)
        row = _row(experiment, arm, experiment.settings.backbone, predicted, fitted.validation_auc)
        if arm == PLAIN:
            plain_auc = row.test_auc
        if arm == PLAIN and PLANTED in experiment.arms.names:
            # Of all rows, also of those training rows that ``share`` leaves out: the planted signal is made of them.
            rows = experiment.rows.fitted_and_validated
            seed = Seed(number, _by_sample(experiment, predict(fitted.model, data, rows), predicted))
        row = replace(
            row,
            seed=number,
            feature_version=features.version,
            auc_gain=row.test_auc - plain_auc,
            train_rows=len(train),
            coverage=features.coverage(experiment.rows.test),
            planted_worth=features.planted_worth,
            epoch=fitted.epoch,
        )
        yield ArmResult(row, predicted, seconds)


def _by_sample(experiment: Experiment, of_fitted: Scores, of_test: Scores) -> Scores:
    """Predictions of all samples; .5 in rows that are neither trained on nor validated nor tested."""
    predicted = np.full(len(experiment.samples.user), 0.5)
    predicted[experiment.rows.fitted_and_validated], predicted[experiment.rows.test] = of_fitted, of_test
    return predicted


def _share_of(rows: Ints, share: float, seed: int) -> Ints:
    if share >= 1:
        return rows
    return np.sort(np.random.default_rng(seed).choice(rows, round(share * len(rows)), replace=False))


def _row(experiment: Experiment, arm: str, backbone: str, predicted: Scores, validation_auc: float) -> GainRow:
    return GainRow(
        arm=arm,
        backbone=backbone,
        validation_auc=validation_auc,
        train_rows=len(experiment.rows.train),
        test_rows=len(experiment.rows.test),
        settings=settings_text(experiment.settings),
        **figures_on_test(experiment.test_label, predicted, experiment.test_user),
    )


def _in_scope_only(settings: CtrSettings) -> bool:
    return settings.train_users == "in_scope"
