"""The offset: its fit, where it is kept, and a V that begins at it."""

import json
import math
import random

import pytest
import torch

from tests.unit.test_prefix import llama
from trackrec.feedback.offset import COUNTS, Offset, fit_offset, saved_offset
from trackrec.models.adapters import save_adapter
from trackrec.runtime.errors import BadInputError
from trackrec.runtime.events import Stage
from trackrec.runtime.settings import RecTuningSettings
from trackrec.training.answer_objective import answer_group, base_log_odds, log_odds, offset_group, train_answers
from trackrec.training.group_loop import logps_function
from trackrec.training.prefix import separate_logps, shared_logps

YES, NO = (7,), (8,)
SILENT = Stage("test")
OFFSETS = (0.4, -1.2, 2.0)


def counts(user_liked, user_events, item_liked, item_events, **label):
    return dict(zip(COUNTS, (user_liked, user_events, item_liked, item_events), strict=True)) | label


def simulated(user, item, constant, rows=6000, share=0.5):
    """Events whose labels follow an offset of these coefficients, with shares shrunk towards ``share``."""
    rng = random.Random(1)
    truth = Offset(user, item, constant, share)
    for _ in range(rows):
        n, m = rng.randint(20, 200), rng.randint(5, 100)
        row = counts(rng.randint(0, n), n, rng.randint(0, m), m)
        yield row | {"label": int(rng.random() < 1 / (1 + math.exp(-truth.log_odds(row))))}


@pytest.mark.parametrize(("user", "item", "constant"), [(0.8, 0.3, -0.2), (0.2, 1.1, 0.1), (0.0, 0.5, 0.0)])
def test_the_coefficients_of_simulated_events_are_found(user, item, constant):
    found = fit_offset(simulated(user, item, constant))
    assert (found.user, found.item, found.constant) == pytest.approx((user, item, constant), abs=0.1)


def test_its_probabilities_have_the_mean_of_the_labels():
    rows = list(simulated(0.7, 0.4, -0.8))
    found = fit_offset(rows, fold=1)
    liked = sum(row["label"] for row in rows) / len(rows)
    mean = sum(1 / (1 + math.exp(-found.log_odds(row))) for row in rows) / len(rows)
    assert mean == pytest.approx(liked, abs=1e-3)
    assert (found.share, found.fold) == (pytest.approx(liked), 1)


def test_few_events_and_shares_that_say_nothing_leave_both_shares_their_full_weight():
    """As independent evidence: each log-odds counts once, the overall ones, which are in both, are taken off once."""
    rows = [counts(6, 10, 3, 5, label=1)] * 3 + [counts(6, 10, 3, 5, label=0)] * 2
    found = fit_offset(rows)
    assert (found.user, found.item) == pytest.approx((1, 1), abs=0.3)
    separable = [counts(9, 10, 4, 5, label=1), counts(1, 10, 1, 5, label=0)]
    assert all(abs(weight) < 3 for weight in (fit_offset(separable).user, fit_offset(separable).item))


def test_a_share_of_nothing_is_the_overall_share():
    offset = Offset(user=1.0, item=1.0, constant=0.0, share=0.6)
    assert offset.log_odds(counts(0, 0, 0, 0)) == pytest.approx(2 * math.log(0.6 / 0.4))


@pytest.mark.parametrize("label", [0, 1])
def test_one_label_alone_fits_nothing(label):
    with pytest.raises(BadInputError, match="all 3 rows have one label"):
        fit_offset([counts(1, 2, 1, 2, label=label)] * 3)


def test_coefficients_come_back_as_they_were_written(tmp_path):
    offset = fit_offset(simulated(0.8, 0.3, -0.2, rows=50), fold=1)
    offset.save(tmp_path / "offset.json")
    assert saved_offset(tmp_path / "offset.json") == offset
    assert saved_offset(tmp_path / "absent.json") is None


@pytest.mark.parametrize("content", ["", "[1]", "{}", '{"user": 1, "item": 1, "constant": 0, "share": "x"}'])
def test_a_file_with_something_else_is_bad_input(tmp_path, content):
    (tmp_path / "offset.json").write_text(content)
    with pytest.raises(BadInputError, match="no coefficients of an offset"):
        saved_offset(tmp_path / "offset.json")


def groups(offsets=OFFSETS, yes=YES, no=NO):
    """Three RecCoTs; items 20 … 23 behind them, of which the even ones are liked."""
    return [
        offset_group(
            f"r{r}",
            [(1, 10 + r, 11, item, 5) for item in range(20, 22 + r)],
            [1 - item % 2 for item in range(20, 22 + r)],
            (yes, no),
            [offsets[r]] * (2 + r),
        )
        for r in range(3)
    ]


def by_hand(model, prompt, yes=YES, no=NO):
    """log P(yes) − log P(no) of each whole answer behind one whole prompt."""

    def logp(answer):
        logits = model(torch.tensor([[*prompt, *answer]])).logits[0].log_softmax(-1)
        return sum(logits[len(prompt) - 1 + i, token] for i, token in enumerate(answer))

    return float(logp(yes) - logp(no))


@pytest.mark.parametrize(("yes", "no"), [(YES, NO), ((7, 3), NO), ((7, 3), (8, 9))])
@pytest.mark.parametrize("logps", [shared_logps, separate_logps])
def test_the_llms_log_odds_are_those_of_the_whole_answers_whatever_the_user_did(yes, no, logps):
    model = llama()
    assert logps_function(model, SILENT) is shared_logps
    with torch.no_grad():
        for r, group in enumerate(groups(yes=yes, no=no)):
            expected = [by_hand(model, (1, 10 + r, 11, item, 5), yes, no) for item in range(20, 22 + r)]
            assert log_odds(model, group, logps).tolist() == pytest.approx(expected, abs=1e-4)


def test_v_begins_at_the_offset_where_the_llm_says_the_same_of_everything(tmp_path):
    model = llama()
    with torch.no_grad():
        head = model.get_output_embeddings().weight
        head[YES[0]] = head[NO[0]]  # an LLM that knows no difference of the two
    once = RecTuningSettings(learning_rate=1e-9, batch_size=1, epochs=1, warmup=0.0)
    steps = train_answers(model, groups(), once, tmp_path, SILENT, base_log_odds(model, groups(), SILENT))
    by_group = {2 + r: _loss([1 - i % 2 for i in range(2 + r)], [OFFSETS[r]] * (2 + r)) for r in range(3)}
    assert sorted(step["loss"] for step in steps) == pytest.approx(sorted(by_group.values()), rel=1e-5)


def test_what_an_untuned_llm_says_on_average_is_taken_off(tmp_path):
    model = llama()
    base = base_log_odds(model, groups(), SILENT)
    said = [by_hand(model, (1, 10 + r, 11, item, 5)) for r in range(3) for item in range(20, 22 + r)]
    assert base == pytest.approx(sum(said) / len(said), abs=1e-4)
    once = RecTuningSettings(learning_rate=1e-9, batch_size=3, epochs=1, warmup=0.0)
    (step,) = train_answers(model, groups(), once, tmp_path, SILENT, base)
    label = [1 - item % 2 for r in range(3) for item in range(20, 22 + r)]
    offsets = [OFFSETS[r] for r in range(3) for _ in range(2 + r)]
    odds = [log_odd - base + offset for log_odd, offset in zip(said, offsets, strict=True)]
    assert step["loss"] == pytest.approx(_loss(label, odds), rel=1e-4)


def _loss(label, log_odds):
    return sum(math.log1p(math.exp(-o if y else o)) for y, o in zip(label, log_odds, strict=True)) / len(label)


def test_what_the_offset_does_not_say_is_learned(tmp_path):
    settings = RecTuningSettings(learning_rate=3e-3, batch_size=2, epochs=30, warmup=0.0)
    steps = train_answers(llama(), groups(), settings, tmp_path, SILENT)
    assert steps[-1]["loss"] < 0.1 < steps[0]["loss"]


def test_without_an_offset_the_loss_is_on_the_answers_tokens_as_before():
    group = answer_group("r", [(1, 2, 3)], [YES])
    assert (group.others, group.liked, group.offsets) == (None, (), ())


def test_the_coefficients_travel_in_the_adapters_folder(tmp_path):
    class Adapter:
        def save_pretrained(self, folder, **_):
            folder.mkdir()
            (folder / "adapter_config.json").write_text("{}")
            (folder / "adapter_model.safetensors").write_bytes(b"")

    Offset(1.0, 0.5, 0.1, 0.6).save(tmp_path / "trackrec-offset.json")
    save_adapter(Adapter(), tmp_path / "adapter", source="s", version="v", files=[tmp_path / "trackrec-offset.json"])
    assert json.loads((tmp_path / "adapter" / "trackrec-offset.json").read_text())["item"] == 0.5
