"""What every CTR network must hold to, whichever is chosen: target labels unseen, empty slots unread, arms alike."""

import dataclasses
import subprocess
import sys

import numpy as np
import pytest
import torch

from tests.ctr_log import drawn_samples
from trackrec.ctr.backbones.dien import events_first
from trackrec.ctr.backbones.interface import InputSizes, build_backbone
from trackrec.ctr.dataset import LIKED, MASKED, NO_EVENT, NOT_LIKED, Batch, CommonInputs, Dataset
from trackrec.ctr.features import Features, no_features
from trackrec.ctr.items import ItemTexts
from trackrec.ctr.network import Network, widened
from trackrec.ctr.samples import PADDING
from trackrec.ctr.training import fit
from trackrec.runtime.settings import CtrSettings

BACKBONES = ("DIN", "DIEN", "DCNv2", "FinalMLP")
ROWS, PER_USER, ITEMS = 48, 12, 9
FITTED_UNTIL = 4_000_000  # rows before it scale the inputs: the labels that a test flips come later
EVERY_ROW = torch.arange(ROWS)


@pytest.fixture(params=BACKBONES)
def settings(request):
    return CtrSettings(
        backbone=request.param, hidden_units=(8, 6), embedding_dim=4, item_dim=3, batch_size=16, epochs=2
    )


@pytest.fixture
def samples():
    return drawn_samples(ROWS, PER_USER, ITEMS)


def common_inputs(samples, length=4):
    random = np.random.default_rng(1)
    vectors = random.standard_normal((ITEMS, 5)).astype(np.float32)
    attributes = random.integers(0, 2, (ITEMS, 3)).astype(np.float32)
    texts = ItemTexts(vectors, np.ones(ITEMS, bool), attributes, "encoder")
    return CommonInputs.of(samples, texts, length, 2, np.flatnonzero(samples.event_time < FITTED_UNTIL))


def features_of_an_arm(samples):
    random = np.random.default_rng(2)
    vectors = tuple(random.standard_normal((3, size)).astype(np.float32) for size in (6, 5))
    numbers = random.standard_normal((ROWS, 2)).astype(np.float32)
    return Features(vectors, np.ones((3, 2), np.float32), np.arange(ROWS) % 4 - 1, numbers)


def with_random_weights(model):
    """In evaluation mode, and no input hangs on a weight that happens to start at or near 0."""
    torch.manual_seed(5)
    for module in model.modules():
        for weight in module.parameters(recurse=False):
            torch.nn.init.normal_(weight, std=0.5)
        if isinstance(module, torch.nn.Embedding) and module.padding_idx is not None:
            module.weight.data[module.padding_idx] = 0
    return model.eval()


def predict(samples, settings, rows, length=4, dense=True):
    """P(label = 1); without ``dense`` the counters and matches are 0, so that only history and target are read."""
    data = Dataset(common_inputs(samples, length), no_features(samples))
    batch = data.batch(rows)
    read = dataclasses.replace(batch, dense=batch.dense * dense)
    return with_random_weights(Network(data, settings, seed=1))(read).detach()


def flipped(samples, row):
    label = samples.label.copy()
    label[row] = 1 - label[row]
    return dataclasses.replace(samples, label=label)


@pytest.mark.parametrize("row", [4, 7, 11, 30])
def test_flipping_the_label_of_a_target_changes_no_output(samples, settings, row):
    target = torch.tensor([row])
    assert torch.equal(predict(samples, settings, target), predict(flipped(samples, row), settings, target))


@pytest.mark.parametrize("past", [8, 10])
def test_flipping_the_label_of_a_past_event_changes_the_output(samples, settings, past):
    before, after = (
        predict(log, settings, torch.tensor([11]), dense=False) for log in (samples, flipped(samples, past))
    )
    assert not torch.allclose(before, after, atol=1e-5)


def test_empty_slots_count_for_nothing(samples, settings):
    few_events = EVERY_ROW[EVERY_ROW % PER_USER <= 4]  # some have none
    short, long = (predict(samples, settings, few_events, length, dense=False) for length in (4, 9))
    assert torch.allclose(short, long, atol=1e-5)


def test_a_batch_without_any_history_has_finite_predictions(samples, settings):
    first_events = EVERY_ROW[EVERY_ROW % PER_USER == 0]
    predicted = predict(samples, settings, first_events)
    assert predicted.shape == (ROWS // PER_USER,)
    assert ((predicted > 0) & (predicted < 1)).all()


def test_a_row_is_predicted_alike_alone_and_beside_others(samples, settings):
    together = predict(samples, settings, EVERY_ROW)
    alone = torch.cat([predict(samples, settings, row) for row in EVERY_ROW[:PER_USER].split(1)])
    assert torch.allclose(together[:PER_USER], alone, atol=1e-5)


def test_a_widened_backbone_predicts_as_the_plain_one_whatever_the_arm_adds(samples, settings):
    data = Dataset(common_inputs(samples), no_features(samples))
    batch, sizes = data.batch(EVERY_ROW), InputSizes(samples.n_items, data.common.dense.shape[1], 5)
    plain = with_random_weights(build_backbone(sizes, settings))
    wide = build_backbone(dataclasses.replace(sizes, dense=sizes.dense + 3), settings)
    wide = widened(plain, wide, sizes.dense).eval()
    added = torch.cat([batch.dense, torch.randn(ROWS, 3)], dim=1)
    assert torch.allclose(wide(added, batch), plain(batch.dense, batch), atol=1e-5)


def test_all_arms_of_a_seed_predict_the_same_before_training(samples, settings):
    common, outputs = common_inputs(samples), []
    for features in (no_features(samples), features_of_an_arm(samples)):
        data = Dataset(common, features)
        outputs.append(Network(data, settings, seed=3).eval()(data.batch(EVERY_ROW)))
    assert torch.allclose(*outputs, atol=1e-6)


def test_the_items_own_words_count_for_nothing_before_training_and_for_something_after(samples, settings):
    data = Dataset(common_inputs(samples), no_features(samples))
    batch = data.batch(EVERY_ROW)
    without = dataclasses.replace(batch, item_inputs=torch.zeros_like(batch.item_inputs))
    begun = Network(data, settings, seed=1).eval()
    assert torch.allclose(begun(batch), begun(without), atol=1e-7)
    fitted = fit(data, np.arange(36), np.arange(36, ROWS), settings, seed=1).model.eval()
    assert not torch.allclose(fitted(batch), fitted(without), atol=1e-7)


@pytest.mark.parametrize("part", ["numbers", "vectors"])
def test_an_arm_learns_from_its_features(samples, settings, part):
    answer = (2 * samples.label - 1).astype(np.float32)[:, None]
    empty, none = np.zeros((ROWS, 0), np.float32), np.full(ROWS, -1)
    numbers = Features((), empty, none, answer)
    vector = np.concatenate([answer, -answer], axis=1)
    vectors = Features((vector,), np.ones((ROWS, 1), np.float32), np.arange(ROWS), empty)
    longer = settings.model_copy(
        update={
            "epochs": 40,
            "patience": 40,
            "learning_rate": 0.02,
            "dropout": 0.0,
            "added_dropout": 0.0,
            "added_l2": 0.0,
        }
    )
    data = Dataset(common_inputs(samples), {"numbers": numbers, "vectors": vectors}[part])
    assert fit(data, np.arange(36), np.arange(36, ROWS), longer, seed=1).validation_auc > 0.9


def test_dien_reads_events_before_empty_slots_and_an_empty_history_as_one_slot():
    batch = Batch(
        items=torch.tensor([[PADDING, PADDING, 5, 6, 7], [PADDING, PADDING, PADDING, PADDING, 8]]),
        labels=torch.tensor([[0, 0, LIKED, NOT_LIKED, MASKED], [0, 0, 0, 0, MASKED]]),
        mask=torch.tensor([[0.0, 0, 1, 1], [0, 0, 0, 0]]),
        item_inputs=torch.tensor([[[0.0], [0], [0.5], [0.6], [0.7]], [[0], [0], [0], [0], [0.8]]]),
        dense=torch.zeros(2, 1), vectors=(), flags=torch.zeros(2, 0), numbers=torch.zeros(2, 0), target=torch.zeros(2),
    )  # fmt: skip
    ordered = events_first(batch)
    assert ordered.items.tolist() == [[5, 6, PADDING, PADDING, 7], [PADDING, PADDING, PADDING, PADDING, 8]]
    assert ordered.labels[0].tolist() == [LIKED, NOT_LIKED, NO_EVENT, NO_EVENT, MASKED]
    assert ordered.item_inputs[0, :, 0].tolist() == pytest.approx([0.5, 0.6, 0, 0, 0.7])
    assert ordered.mask.tolist() == [[1, 1, 0, 0], [1, 0, 0, 0]]


def test_no_backbone_imports_ray():
    code = (
        "from trackrec.ctr.backbones.fuxictr_zoo import zoo_class; "
        f"[zoo_class(name) for name in {BACKBONES}]; import sys; sys.exit('ray' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
