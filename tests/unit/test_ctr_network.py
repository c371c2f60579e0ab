"""What the network sees, and what it must not: labels, missing vectors, seeds, Ray."""

import dataclasses
import subprocess
import sys
import types

import numpy as np
import pytest
import torch

from tests.ctr_log import drawn_samples
from trackrec.ctr.adaptor import Adaptor, Mixture
from trackrec.ctr.backbones.interface import Backbone
from trackrec.ctr.dataset import LIKED, MASKED, CommonInputs, Dataset
from trackrec.ctr.features import Features, no_features
from trackrec.ctr.items import ItemTexts, no_item_texts
from trackrec.ctr.network import Network
from trackrec.ctr.training import fit
from trackrec.runtime.settings import CtrSettings

SMALL = CtrSettings(
    history=4, hidden_units=(8,), embedding_dim=4, batch_size=16, epochs=2, adaptor_dim=3, item_dim=3, components=3
)
INPUTS = ("items", "labels", "mask", "item_inputs", "dense", "numbers", "vectors", "flags")  # all of a batch but target


@pytest.fixture(autouse=True)
def one_thread():
    """On a busy machine two threads wait for each other, in networks as small as these for minutes."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def samples():
    return drawn_samples(60, 12, 9)


def flipped(samples, row):
    label = samples.label.copy()
    label[row] = 1 - label[row]
    return dataclasses.replace(samples, label=label)


def features_for_every_second_row(samples):
    random, rows = np.random.default_rng(1), np.arange(len(samples.user))
    vectors = random.standard_normal((3, 6)).astype(np.float32)
    flags = np.array([[1, 1], [1, 0], [1, 1]], dtype=np.float32)
    numbers = random.standard_normal((len(rows), 2)).astype(np.float32)
    return Features((vectors, vectors[::-1] * flags[:, 1:]), flags, np.where(rows % 2, rows % 3, -1), numbers)


def item_texts(samples):
    """Of the nine items the last one has neither text nor attributes."""
    random, described = np.random.default_rng(2), np.arange(9) < 8
    vectors = random.standard_normal((9, 5)) * described[:, None]
    attributes = random.integers(0, 2, (9, 2)) * described[:, None]
    return ItemTexts(vectors.astype(np.float32), described, attributes.astype(np.float32), "e1")


def common(samples, texts=None):
    return CommonInputs.of(samples, texts or item_texts(samples), 4, SMALL.components, np.arange(48))


def dataset(samples, features, texts=None):
    return Dataset(common(samples, texts), features)


def same(batch, other, field):
    values = (getattr(batch, field), getattr(other, field))
    return all(map(torch.equal, *values)) if field == "vectors" else torch.equal(*values)


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
    for field in INPUTS:
        assert same(batch, changed, field), field
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
    flags = torch.tensor([[0.0, 0.0], [1.0, 1.0], [0.0, 1.0]])
    out = adaptor([torch.randn(3, 6), torch.randn(3, 6)], flags)
    assert out.shape == (3, adaptor.width) == (3, 8)
    assert torch.equal(out[:, 6:], flags)
    assert (out[:, :6] != 0).tolist() == flags.bool().repeat_interleave(3, dim=1).tolist()


def test_the_adaptor_reads_a_vector_whatever_its_mean_and_scale():
    adaptor, vector = Adaptor("linear", [6], 3), torch.randn(2, 6)
    outputs = [adaptor([v], torch.ones(2, 1)) for v in (vector, 100 * vector + 7)]
    assert torch.allclose(*outputs, atol=1e-3)


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
    nothing, settings = no_features(log), SMALL.model_copy(update={"epochs": 30, "patience": 30, "learning_rate": 0.02})
    vector = Features(
        (np.array([[-1.0, 1], [1, -1]], np.float32),), np.ones((2, 1), np.float32), log.label, nothing.numbers
    )
    number = dataclasses.replace(nothing, numbers=2 * log.label.astype(np.float32).reshape(-1, 1) - 1)
    for answers in (vector, number):
        data = dataset(log, answers, no_item_texts(log))
        assert fit(data, np.arange(48), np.arange(48, 60), settings, seed=1).validation_auc == 1.0


class Inputs(torch.nn.Module):
    """In the backbone's place: it keeps what it is given."""

    def forward(self, dense, batch):
        self.dense = dense
        return torch.zeros(len(dense))


def test_only_what_the_adaptor_makes_of_vectors_is_dropped_and_only_in_training(samples):
    data = dataset(samples, features_for_every_second_row(samples))
    settings = SMALL.model_copy(update={"added_dropout": 0.75})
    model, batch = Network(data, settings, 1), data.batch(torch.arange(60))
    model.backbone = Inputs()
    model(batch)
    complete = model.backbone.dense
    model(batch, torch.Generator().manual_seed(1))
    dropped = model.backbone.dense
    before = batch.dense.shape[1] + batch.numbers.shape[1]
    assert torch.equal(dropped[:, :before], complete[:, :before])
    there = complete[:, before:] != 0
    kept = dropped[:, before:][there] != 0
    assert 0.15 < kept.float().mean() < 0.35
    assert torch.allclose(dropped[:, before:][there][kept], 4 * complete[:, before:][there][kept])


def test_the_backbones_own_dropout_is_the_same_in_all_arms_of_a_seed(samples):
    """While the weights that read an arm's features are 0, a step of the arm is a step of plain."""
    outputs = []
    for features in (no_features(samples), features_for_every_second_row(samples)):
        data = dataset(samples, features)
        model = Network(data, SMALL.model_copy(update={"dropout": 0.5}), 1).train()
        torch.manual_seed(7)
        random = torch.Generator().manual_seed(7)
        outputs.append(torch.stack([model(data.batch(torch.arange(60)), random) for _ in range(2)]))
    assert torch.allclose(*outputs, atol=1e-6)
    assert not torch.allclose(outputs[0][0], outputs[0][1], atol=1e-6)


SHRUNK = {
    "DIN": {"dnn.mlp.0.weight"},
    "DIEN": {"dnn.mlp.0.weight"},
    "DCNv2": {
        "crossnet.cross_layers.0.weight",
        "crossnet.cross_layers.1.weight",
        "parallel_dnn.mlp.0.weight",
        "fc.weight",
    },
    "FinalMLP": {"mlp1.mlp.0.weight", "mlp2.mlp.0.weight"},
}


def test_an_arm_of_numbers_alone_has_nothing_to_shrink(samples):
    of_an_arm, rows = features_for_every_second_row(samples), len(samples.user)
    numbers = dataclasses.replace(no_features(samples), numbers=of_an_arm.numbers, row=np.full(rows, -1))
    assert Network(dataset(samples, numbers), SMALL, 1).shrunk == {}


@pytest.mark.parametrize("backbone", SHRUNK)
def test_shrunk_are_the_weights_that_read_the_adaptors_output_and_no_other(samples, backbone):
    """With these at 0 the vectors count for nothing, and each of them costs half of its square."""
    data = dataset(samples, features_for_every_second_row(samples))
    settings = SMALL.model_copy(update={"backbone": backbone, "added_l2": 0.5, "embedding_l2": 0.0})
    model, batch = Network(data, settings, 1).eval(), data.batch(torch.arange(60))
    assert {name.removeprefix("model.") for name in model.shrunk} == SHRUNK[backbone]
    weights = dict(model.backbone.named_parameters())
    with torch.no_grad():
        for name, weight in weights.items():
            torch.nn.init.normal_(weight, std=0.2)
            if name in model.shrunk:
                weight *= 1 - model.shrunk[name]
        for module in model.backbone.modules():
            if isinstance(module, torch.nn.Embedding) and module.padding_idx is not None:
                module.weight[module.padding_idx] = 0
        assert model.regularization() == 0
        other = dataclasses.replace(batch, vectors=tuple(vector + 1 for vector in batch.vectors))
        assert torch.equal(model(batch), model(other))
        entries = sum(int(entry.sum()) for entry in model.shrunk.values())
        for name, entry in model.shrunk.items():
            weights[name] += entry
        assert float(model.regularization()) == pytest.approx(0.5 / 2 * entries)
        assert not torch.equal(model(batch), model(other))


def test_the_adaptor_learns_at_its_own_rate(samples):
    data, steps = dataset(samples, features_for_every_second_row(samples)), []
    for rate in (1e-9, 1e-2):
        settings = SMALL.model_copy(update={"adaptor_learning_rate": rate, "learning_rate": 1e-9, "epochs": 1})
        before, after = Network(data, settings, 1), fit(data, np.arange(48), np.arange(48, 60), settings, seed=1).model
        steps.append([changed(before, after, part) for part in ("backbone", "adaptor")])
    assert steps == [[False, False], [False, True]]


def changed(before, after, part):
    pairs = zip(getattr(before, part).parameters(), getattr(after, part).parameters(), strict=True)
    return not all(torch.allclose(old, new, atol=1e-6) for old, new in pairs)


def test_an_item_without_a_text_enters_as_zeros_and_so_does_an_empty_slot(samples):
    batch = dataset(samples, no_features(samples)).batch(torch.arange(60))
    item = np.concatenate([samples.item_all[:1]])  # the first event of a user: four empty slots before it
    assert (batch.item_inputs[0, :4] == 0).all()
    assert (batch.item_inputs[0, 4] != 0).any() == (item[0] < 8)
    silent = torch.from_numpy(samples.item_all == 8)
    assert silent.any()
    assert (batch.item_inputs[silent, 4] == 0).all()


def test_the_texts_of_items_are_whitened_by_those_of_training_rows(samples):
    """Item 7 is in validation rows only; its vector changes, and no other item's inputs do."""
    log = dataclasses.replace(samples, item_all=np.where(np.arange(60) < 48, samples.item_all % 7, 7))
    first, second = item_texts(log), item_texts(log)
    second.vectors[7] += 9
    inputs = [common(log, texts).item_inputs for texts in (first, second)]
    assert torch.equal(inputs[0][:7], inputs[1][:7])
    assert not torch.equal(inputs[0][7], inputs[1][7])


def test_labels_that_became_known_after_a_row_change_none_of_its_inputs(samples):
    """The events of the last two instants become known only after all others."""
    late = np.flatnonzero(samples.event_time >= 10_000_000)
    known = np.where(samples.event_time >= 10_000_000, 99_000_000, samples.known_time)
    log = dataclasses.replace(samples, known_time=known)
    label = log.label.copy()
    label[late] = 1 - label[late]
    features = features_for_every_second_row(log)
    first, second = (dataset(s, features).batch(torch.arange(60)) for s in (log, dataclasses.replace(log, label=label)))
    for field in INPUTS:
        assert same(first, second, field), field


def test_without_item_texts_the_network_has_no_input_of_them(samples):
    batch = dataset(samples, no_features(samples), no_item_texts(samples)).batch(torch.arange(3))
    assert (batch.item_inputs.shape, batch.dense.shape) == ((3, 5, 0), (3, 4))  # dense: the four counters


def test_din_is_imported_without_ray():
    code = (
        "from trackrec.ctr.backbones.fuxictr_zoo import zoo_class; zoo_class('DIN'); "
        "import sys; sys.exit('ray' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_two_arms_share_all_inputs_but_their_features(samples):
    inputs = common(samples)
    plain, other = Dataset(inputs, no_features(samples)), Dataset(inputs, features_for_every_second_row(samples))
    assert plain.common is other.common
    plain, other = plain.batch(torch.arange(60)), other.batch(torch.arange(60))
    for field in ("items", "labels", "mask", "item_inputs", "dense"):
        assert same(plain, other, field), field
    assert (plain.vectors, plain.flags.shape, plain.numbers.shape) == ((), (60, 0), (60, 0))
    assert other.flags.sum(dim=0).tolist() == [30, 20]


@pytest.mark.parametrize(
    ("losses", "kept", "epochs"),
    [
        ([0.6, 0.5, 0.5, 0.5, 0.3], 2, 4),  # a tie is no fall: the first stays, and patience 2 ends with the fourth
        ([0.6, 0.5, 0.7, 0.4, 0.5], 4, 5),
        ([0.6, 0.7, 0.8, 0.1, 0.1], 1, 3),
    ],
)
def test_the_first_epoch_of_the_lowest_log_loss_is_kept_and_patience_counts_from_it(
    samples, monkeypatch, losses, kept, epochs
):
    scripted, weights = iter(losses), []

    def predicted(model, data, rows):
        weights.append(weight_of(model))
        return samples.label[rows] * 0.5

    monkeypatch.setattr("trackrec.ctr.training.logloss", lambda label, probability: next(scripted))
    monkeypatch.setattr("trackrec.ctr.training.predict", predicted)
    settings = SMALL.model_copy(update={"epochs": 5, "patience": 2})
    fitted = fit(dataset(samples, no_features(samples)), np.arange(48), np.arange(48, 60), settings, seed=1)
    *by_epoch, last = weights  # the last prediction is of the weights that are kept
    assert (fitted.epoch, fitted.validation_logloss, len(by_epoch)) == (kept, losses[kept - 1], epochs)
    assert torch.equal(weight_of(fitted.model), by_epoch[kept - 1])
    assert torch.equal(last, by_epoch[kept - 1])
    assert fitted.validation_auc == 1.0


def test_an_epoch_of_few_rows_goes_over_them_as_often_as_it_is_told(monkeypatch, samples):
    passes = []
    monkeypatch.setattr("trackrec.ctr.training._train_pass", lambda *arguments: passes.append(1))
    settings = SMALL.model_copy(update={"epochs": 2, "patience": 2})
    fit(dataset(samples, no_features(samples)), np.arange(12), np.arange(48, 60), settings, seed=1, passes=4)
    assert len(passes) == 2 * 4


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
