"""A reader that counts attributes: its weights are found among noisy labels, and V learns what it says."""

import numpy as np
import pytest
import torch

from tests.conftest import CONF
from tests.unit.test_answer_objective import SILENT
from tests.unit.test_offset import NO, YES, llama
from trackrec.feedback.offset import Offset
from trackrec.feedback.reader import Reader, check_reader, fit_reader
from trackrec.runtime.errors import BadInputError
from trackrec.runtime.settings import RecTuningSettings
from trackrec.runtime.settings_files import load_settings
from trackrec.training.answer_objective import offset_group, train_answers

LEVEL = Offset(user=0.0, item=0.0, constant=0.5, share=0.5)
COUNTS = {"user_liked": 1, "user_events": 2, "item_liked": 1, "item_events": 2}


def events(count, liked=0.4, avoided=-0.6, seed=0):
    """Events whose labels are drawn by these weights beside the offset."""
    dice = np.random.default_rng(seed)
    for _ in range(count):
        matches = [int(dice.integers(3)) for _ in range(2)]
        p = 1 / (1 + np.exp(-(0.5 + liked * matches[0] + avoided * matches[1])))
        label = int(dice.random() < p)
        yield {"label": label, "named_liked": matches[0], "named_avoided": matches[1]} | COUNTS


def test_the_weights_are_found_among_labels_that_are_drawn():
    reader = fit_reader(list(events(20_000)), LEVEL)
    assert (reader.liked, reader.avoided, reader.constant) == pytest.approx((0.4, -0.6, 0.0), abs=0.06)


def test_its_probability_is_the_offsets_moved_by_what_is_named():
    reader = Reader(liked=1.0, avoided=-2.0, constant=0.25, offset=LEVEL)
    row = {"named_liked": 2, "named_avoided": 1} | COUNTS
    assert reader.probability(row) == pytest.approx(1 / (1 + np.exp(-(0.5 + 2.0 - 2.0 + 0.25))))


def test_reccots_that_name_no_attribute_are_bad_input():
    rows = [row | {"named_liked": 0, "named_avoided": 0} for row in events(3)]
    with pytest.raises(BadInputError, match=r"of 3 rows to tune on no RecCoT names an attribute.*tune\.targets=labels"):
        fit_reader(rows, LEVEL)


def test_reccots_that_say_the_opposite_of_what_users_do_teach_nothing():
    with pytest.raises(BadInputError, match=r"users like what their RecCoTs call liked no more \(-0"):
        fit_reader(list(events(5_000, liked=-0.4, avoided=0.4)), LEVEL)
    reader = fit_reader(list(events(5_000, liked=-0.4, avoided=-0.6)), LEVEL)
    assert reader.liked == 0 > reader.avoided


def test_rows_of_an_earlier_version_are_bad_input():
    rows = [row | {"named_liked": None, "named_avoided": None} for row in events(3)]
    with pytest.raises(BadInputError, match=r"some lack named_liked and named_avoided.*Run jobs/tune_validator\.py"):
        fit_reader(rows, LEVEL)


def test_v_learns_the_probabilities_and_not_the_labels(tmp_path):
    prompts = [(1, 10, 11, item, 5) for item in range(20, 24)]
    labels, targets = [1, 1, 0, 0], [0.2, 0.8, 0.2, 0.8]
    group = offset_group("r", prompts, labels, (YES, NO), [0.0] * 4, targets)
    assert offset_group("r", prompts, labels, (YES, NO), [0.0] * 4).targets == (1.0, 1.0, 0.0, 0.0)
    settings = RecTuningSettings(learning_rate=1e-2, batch_size=1, epochs=60)
    model = llama()
    steps = train_answers(model, [group], settings, tmp_path, SILENT)
    least = -np.mean([p * np.log(p) + (1 - p) * np.log(1 - p) for p in targets])
    assert steps[-1]["loss"] == pytest.approx(least, abs=0.01)
    with torch.no_grad():
        logits = [model(torch.tensor([prompt])).logits[0, -1] for prompt in prompts]
    said = [float(torch.sigmoid(row[YES[0]] - row[NO[0]])) for row in logits]
    assert said == pytest.approx(targets, abs=0.08)


@pytest.mark.parametrize(
    ("setting", "named"), [("offset=none", "feedback.offset is none"), ("validator_reads=history", "V sees none")]
)
def test_settings_that_leave_the_reader_nothing_are_bad_input(setting, named):
    with pytest.raises(BadInputError, match=named):
        check_reader(load_settings(CONF, ["tune.targets=reader", f"feedback.{setting}"]))
    check_reader(load_settings(CONF, [f"feedback.{setting}"]))
    check_reader(load_settings(CONF, ["tune.targets=reader"]))
