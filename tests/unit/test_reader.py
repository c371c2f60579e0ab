"""A reader that counts attributes: its weights are found among noisy labels, and V learns what it says."""

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from tests.conftest import CONF
from tests.unit.test_answer_objective import SILENT
from tests.unit.test_offset import NO, YES, llama
from trackrec.feedback.offset import OFFSET_FILE, Offset, kind_of, saved_offset
from trackrec.feedback.reader import check_reader, fit_reader
from trackrec.runtime.errors import BadInputError
from trackrec.runtime.settings import RecTuningSettings
from trackrec.runtime.settings_files import load_settings
from trackrec.training.answer_objective import offset_group, train_answers
from trackrec.training.answer_tokens import answer_groups

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
    assert (reader.liked, reader.avoided, reader.unnamed) == pytest.approx((0.4, -0.6, 0.0), abs=0.06)
    assert replace(reader, liked=0.0, avoided=0.0, unnamed=0.0) == LEVEL, "the shares' weights stay"


def test_its_log_odds_are_the_offsets_moved_by_what_is_named():
    reader = replace(LEVEL, liked=1.0, avoided=-2.0, unnamed=0.25)
    assert reader.log_odds({"named_liked": 2, "named_avoided": 1} | COUNTS) == pytest.approx(0.5 + 2.0 - 2.0 + 0.25)
    assert reader.log_odds({"named_liked": None, "named_avoided": None} | COUNTS) == 0.5, "there is no RecCoT"
    assert LEVEL.log_odds(COUNTS) == 0.5, "one that reads nothing needs no counts of names"


def test_v_learns_what_the_reader_says():
    class Chat:
        answers = SimpleNamespace(tokens=(YES, NO))

        def ids(self, request):
            return [1, len(request.prompt)]

        def fault(self, ids):
            return None

    row = {"row_key": "r", "prompt_body": "p", "label": 0, "named_liked": 1, "named_avoided": 0} | COUNTS
    (group,) = answer_groups([[row]], Chat(), LEVEL, replace(LEVEL, liked=1.0))
    assert group.offsets == (0.5,)
    assert group.targets == pytest.approx([1 / (1 + np.exp(-1.5))])


def test_reccots_that_name_no_attribute_are_bad_input():
    rows = [row | {"named_liked": 0, "named_avoided": 0} for row in events(3)]
    with pytest.raises(BadInputError, match=r"of 3 rows to tune on no RecCoT names an attribute.*tune\.targets=labels"):
        fit_reader(rows, LEVEL)


def test_reccots_that_say_the_opposite_of_what_users_do_teach_nothing():
    with pytest.raises(BadInputError, match=r"users like what their RecCoTs call liked no more \(-0"):
        fit_reader(list(events(5_000, liked=-0.4, avoided=0.4)), LEVEL)
    rows = list(events(5_000, liked=-0.4, avoided=-0.6))
    reader = fit_reader(rows, LEVEL)
    assert reader.liked == 0 > reader.avoided
    alone = fit_reader([row | {"named_liked": 0} for row in rows], LEVEL)
    assert (reader.avoided, reader.unnamed) == pytest.approx((alone.avoided, alone.unnamed)), "fitted without the other"


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


def test_what_is_stored_beside_an_adapter_says_whether_v_reads(tmp_path):
    reader, path = replace(LEVEL, liked=1.0, avoided=-2.0, unnamed=0.1, counted=True), tmp_path / OFFSET_FILE
    reader.save(path)
    assert saved_offset(path) == reader
    LEVEL.save(path)
    assert set(json.loads(path.read_text())) == {"user", "item", "constant", "share", "strength", "base", "fold"}
    assert [kind_of(one) for one in (reader, LEVEL, None)] == ["named", "fixed", "none"]
    path.write_text('{"user": 1, "item": 1, "constant": 0.5, "share": 0.5, "strength": 5, "base": 0, "fold": 1}')
    assert kind_of(saved_offset(path)) == "fixed", "of an earlier version"


COUNTED = ["validator.model.source=path:m", "validator.engine=counted"]


@pytest.mark.parametrize(
    ("sets", "named"),
    [
        (["tune.targets=reader", "feedback.offset=none"], "feedback.offset is none"),
        (["tune.targets=reader", "feedback.validator_reads=history"], "V sees none"),
        (["feedback.offset=named", "feedback.validator_reads=history"], "V sees none"),
        (["feedback.offset=named", "tune.targets=reader"], "V begins with all that the reader could teach it"),
        ([*COUNTED, "feedback.offset=none"], "V is its offset alone"),
    ],
)
def test_settings_that_leave_the_reader_nothing_are_bad_input(sets, named):
    with pytest.raises(BadInputError, match=named):
        check_reader(load_settings(CONF, sets))


@pytest.mark.parametrize(
    "sets",
    [
        ["feedback.offset=none"],
        ["feedback.validator_reads=history"],
        ["tune.targets=reader"],
        ["feedback.offset=named"],
        [*COUNTED, "feedback.offset=named"],
    ],
)
def test_a_reader_with_a_part_in_v_and_none_at_all_are_no_fault(sets):
    check_reader(load_settings(CONF, sets))
