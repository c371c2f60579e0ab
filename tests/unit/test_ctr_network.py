"""What the network sees, and what it must not: labels, missing vectors, seeds, Ray."""

import dataclasses
import subprocess
import sys
import types

import numpy as np
import pyarrow as pa
import pytest
import torch

from trackrec.ctr.adaptor import Adaptor, Mixture
from trackrec.ctr.backbones.interface import Backbone
from trackrec.ctr.dataset import LIKED, MASKED, CommonInputs, Dataset
from trackrec.ctr.features import Features, no_features, random_features
from trackrec.ctr.network import Network
from trackrec.ctr.samples import Samples
from trackrec.ctr.training import fit
from trackrec.runtime.settings import CtrSettings

SMALL = CtrSettings(history=4, hidden_units=(8,), embedding_dim=4, batch_size=16, epochs=2, adaptor_dim=3)


@pytest.fixture
def samples():
    random = np.random.default_rng(0)
    rows, per_user = 60, 12
    time = np.tile(np.arange(per_user), rows // per_user) * 1_000_000
    item = random.integers(0, 9, rows)
    return Samples(
        user=np.repeat(np.arange(rows // per_user), per_user),
        item=item + 2,
        item_all=item,
        event_time=time,
        known_time=time,
        label=random.integers(0, 2, rows),
        window=np.array(["ctr_train"] * rows, dtype=object),
        in_scope=np.ones(rows, dtype=bool),
        users=pa.array([str(u) for u in range(rows // per_user)]),
        n_items=11,
    )


def flipped(samples, row):
    label = samples.label.copy()
    label[row] = 1 - label[row]
    return dataclasses.replace(samples, label=label)


def features_for_every_second_row(samples):
    vectors = np.random.default_rng(1).standard_normal((3, 6)).astype(np.float32)
    snapshot = np.where(np.arange(len(samples.user)) % 2, np.arange(len(samples.user)) % 3, -1)
    return Features((vectors, vectors[::-1].copy()), snapshot)


def dataset(samples, features):
    return Dataset(CommonInputs.of(samples, 4), features)


def predict(samples, row, features):
    model = Network(dataset(samples, features), SMALL, seed=1).eval()
    torch.manual_seed(5)
    for weight in model.parameters():  # none of the inputs hangs on a weight that happens to start at 0
        torch.nn.init.normal_(weight, std=0.5)
    return model(dataset(samples, features).batch(torch.tensor([row])))


def test_a_label_is_masked_at_the_target(samples):
    batch = dataset(samples, no_features(samples)).batch(torch.arange(60))
    assert (batch.labels[:, -1] == MASKED).all()
    assert (batch.labels[:, :-1] < MASKED).all()


@pytest.mark.parametrize("row", [0, 7, 11, 30, 59])
def test_flipping_the_label_of_a_target_changes_no_input_and_no_output(samples, row):
    other, features = flipped(samples, row), features_for_every_second_row(samples)
    batch, changed = (dataset(s, features).batch(torch.tensor([row])) for s in (samples, other))
    for field in ("items", "labels", "mask", "counters", "present"):
        assert torch.equal(getattr(batch, field), getattr(changed, field)), field
    assert not torch.equal(batch.target, changed.target)
    assert torch.equal(predict(samples, row, features), predict(other, row, features))


def test_flipping_the_label_of_a_past_event_changes_the_output(samples):
    features = no_features(samples)
    assert not torch.equal(predict(samples, 11, features), predict(flipped(samples, 10), 11, features))


def test_the_history_shows_items_and_labels_of_past_events(samples):
    batch = dataset(samples, no_features(samples)).batch(torch.tensor([2]))
    assert batch.items[0].tolist() == [0, 0, *samples.item[:3].tolist()]
    assert batch.labels[0].tolist() == [0, 0, *(samples.label[:2] + LIKED - 1).tolist(), MASKED]
    assert batch.mask[0].tolist() == [0, 0, 1, 1]


@pytest.mark.parametrize("kind", ["linear", "mlp", "hea"])
def test_a_missing_vector_is_zeros_and_a_flag_of_0(kind):
    adaptor = Adaptor(kind, [6, 6], 3)
    out = adaptor([torch.randn(1, 6), torch.randn(1, 6)], torch.tensor([False, True, False]))
    assert out.shape == (3, 7)
    assert torch.equal(out[[0, 2]], torch.zeros(2, 7))
    assert out[1, -1] == 1
    assert (out[1, :-1] != 0).all()


def test_a_batch_without_any_vector_passes_through_the_adaptor():
    out = Adaptor("hea", [6, 6], 3)([torch.empty(0, 6), torch.empty(0, 6)], torch.tensor([False, False]))
    assert torch.equal(out, torch.zeros(2, 7))


def test_hea_mixes_two_shared_and_five_specific_experts_by_one_gate_a_vector():
    hea = Mixture([6, 6], 3)
    assert (len(hea.shared), [len(s) for s in hea.specific], len(hea.gates)) == (2, [5, 5], 2)
    prompt, reccot = torch.randn(2, 6), torch.randn(2, 6)
    experts = [expert(reccot) for expert in [*hea.shared, *hea.specific[1]]]
    by_hand = sum(w.unsqueeze(-1) * e for w, e in zip(hea.gates[1](reccot).softmax(-1).T, experts, strict=True))
    assert torch.allclose(hea([prompt, reccot])[:, 3:], by_hand, atol=1e-6)


def test_all_arms_of_a_seed_predict_the_same_before_training(samples):
    rows = torch.arange(60)
    outputs = []
    for features in (no_features(samples), features_for_every_second_row(samples)):
        data = dataset(samples, features)
        outputs.append(Network(data, SMALL, seed=3).eval()(data.batch(rows)))
    assert torch.allclose(*outputs, atol=1e-6)


def test_an_arm_learns_from_its_features(samples):
    log = dataclasses.replace(samples, item=np.full(60, 2), item_all=np.zeros(60, dtype=int))
    answers = Features((np.array([[-1.0], [1.0]], dtype=np.float32),), log.label, linear=True)
    settings = SMALL.model_copy(update={"epochs": 30, "patience": 30, "learning_rate": 0.02})
    fitted = fit(dataset(log, answers), np.arange(48), np.arange(48, 60), settings, seed=1)
    assert fitted.validation_auc == 1.0


def test_a_random_vector_has_unit_norm_and_the_coverage_of_what_it_controls_for(samples):
    like = features_for_every_second_row(samples)
    drawn = random_features(like, seed=1)
    assert [v.shape for v in drawn.vectors] == [v.shape for v in like.vectors]
    assert np.allclose(np.linalg.norm(drawn.vectors[0], axis=1), 1, atol=1e-5)
    assert np.array_equal(drawn.snapshot, like.snapshot)


def test_din_is_imported_without_ray():
    code = (
        "from trackrec.ctr.backbones.fuxictr_zoo import zoo_class; zoo_class('DIN'); "
        "import sys; sys.exit('ray' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_two_arms_share_all_inputs_but_their_features(samples):
    common = CommonInputs.of(samples, 4)
    plain, other = Dataset(common, no_features(samples)), Dataset(common, features_for_every_second_row(samples))
    assert plain.common is other.common
    assert not plain.batch(torch.arange(60)).present.any()
    assert other.batch(torch.arange(60)).present.sum() == 30


@pytest.mark.parametrize(
    ("aucs", "kept", "epochs"),
    [
        ([0.6, 0.7, 0.7, 0.7, 0.9], 2, 4),  # a tie is no rise: the first stays, and patience 2 ends with the fourth
        ([0.6, 0.7, 0.5, 0.8, 0.7], 4, 5),
        ([0.6, 0.5, 0.4, 0.9, 0.9], 1, 3),
    ],
)
def test_the_first_best_epoch_is_kept_and_patience_counts_from_it(samples, monkeypatch, aucs, kept, epochs):
    scripted, weights = iter(aucs), []
    monkeypatch.setattr("trackrec.ctr.training.auc", lambda label, score: next(scripted))
    monkeypatch.setattr("trackrec.ctr.training.predict", lambda model, data, rows: weights.append(weight_of(model)))
    settings = SMALL.model_copy(update={"epochs": 5, "patience": 2})
    fitted = fit(dataset(samples, no_features(samples)), np.arange(48), np.arange(48, 60), settings, seed=1)
    assert (fitted.epoch, fitted.validation_auc, len(weights)) == (kept, aucs[kept - 1], epochs)
    assert torch.equal(weight_of(fitted.model), weights[kept - 1])


def weight_of(model):
    return next(model.parameters()).clone()


class CrossNet(Backbone):
    """A backbone whose weights read the inputs along both dimensions, as DCN's do."""

    def __init__(self, sizes, settings):
        super().__init__()
        self.items = torch.nn.Embedding(sizes.items, settings.embedding_dim)
        width = sizes.dense + settings.embedding_dim
        self.cross, self.out = torch.nn.Linear(width, width), torch.nn.Linear(width, 1)

    def forward(self, dense, batch):
        x = torch.cat([dense, self.items(batch.items[:, -1])], dim=1)
        return torch.sigmoid(self.out(x * self.cross(x) + x)).squeeze(-1)

    def regularization(self):
        return 0.0


def test_a_backbone_is_one_file_that_defines_the_class_of_its_name(samples, monkeypatch):
    module = types.ModuleType("trackrec.ctr.backbones.crossnet")
    module.CrossNet = CrossNet
    monkeypatch.setitem(sys.modules, module.__name__, module)
    settings = SMALL.model_copy(update={"backbone": "CrossNet"})
    rows, outputs = torch.arange(60), []
    for features in (no_features(samples), features_for_every_second_row(samples)):
        data = dataset(samples, features)
        outputs.append(Network(data, settings, seed=3).eval()(data.batch(rows)))
    assert torch.allclose(*outputs, atol=1e-6)  # the arms begin as the same network
    assert isinstance(fit(data, np.arange(48), np.arange(48, 60), settings, seed=1).model.backbone, CrossNet)
