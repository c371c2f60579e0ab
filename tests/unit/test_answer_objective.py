"""Rec-tuning on a small Llama: the prefix read once teaches what whole prompts teach, and a kill leaves no trace."""

import pytest
import torch

from tests.unit.test_prefix import llama
from trackrec.runtime.events import Stage
from trackrec.runtime.settings import RecTuningSettings
from trackrec.training.answer_objective import answer_group, train_answers
from trackrec.training.group_loop import logps_function
from trackrec.training.prefix import separate_logps, shared_logps

YES, NO = (7,), (8,)
# Three RecCoTs; items 20 … 23 behind them, of which the even ones are liked.
GROUPS = [
    answer_group(
        f"r{r}",
        [(1, 10 + r, 11, item, 5) for item in range(20, 22 + r)],
        [NO if item % 2 else YES for item in range(20, 22 + r)],
    )
    for r in range(3)
]
SETTINGS = RecTuningSettings(learning_rate=3e-3, batch_size=2, epochs=5, checkpoint_steps=2, warmup=0.0)


SILENT = Stage("test")


def weights(model):
    return torch.cat([p.detach().flatten() for p in model.parameters()])


def test_what_prompts_have_in_common_is_the_prompt_of_their_group():
    group = answer_group("r", [(1, 2, 3, 9), (1, 2, 4, 9, 9)], [(7,), (8, 6)]).group
    assert (group.prompt, group.answers, group.counted) == ((1, 2), ((3, 9, 7), (4, 9, 9, 8, 6)), (1, 2))


def test_a_single_event_has_its_answer_behind_its_whole_prompt():
    group = answer_group("r", [(1, 2, 3)], [(7,)]).group
    assert (group.prompt, group.answers, group.counted) == ((1, 2, 3), ((7,),), (1,))


def test_a_step_follows_the_mean_over_all_its_events_of_whole_prompts(tmp_path):
    model, other = llama(), llama()
    once = SETTINGS.model_copy(update={"batch_size": 3, "epochs": 1})
    (row,) = train_answers(model, GROUPS, once, tmp_path, SILENT)
    optimizer = torch.optim.AdamW(other.parameters(), lr=once.learning_rate, weight_decay=0.0)
    losses = []
    for one in GROUPS:
        for answer in one.group.answers:  # one sequence an event, the loss on its last token: the answer
            logits = other(torch.tensor([[*one.group.prompt, *answer]])).logits[0, -2]
            losses.append(torch.nn.functional.cross_entropy(logits[None], torch.tensor([answer[-1]])))
    mean = torch.stack(losses).mean()
    mean.backward()
    assert row["loss"] == pytest.approx(mean.item(), rel=1e-5)
    assert row["grad_norm"] == pytest.approx(float(torch.nn.utils.clip_grad_norm_(other.parameters(), 1.0)), rel=1e-4)
    optimizer.step()
    torch.testing.assert_close(weights(model), weights(other), rtol=1e-3, atol=1e-4)


def test_the_answers_are_learned(tmp_path):
    rows = train_answers(llama(), GROUPS, SETTINGS.model_copy(update={"epochs": 30}), tmp_path, SILENT)
    assert rows[-1]["loss"] < 0.1 < 2 < rows[0]["loss"]


class Killed(BaseException):
    pass


@pytest.mark.parametrize("at", [1, 4, 5])
def test_a_tuning_that_was_killed_and_resumed_ends_with_the_same_weights(tmp_path, at):
    whole, first, second = llama(), llama(), llama()
    rows = train_answers(whole, GROUPS, SETTINGS, tmp_path / "whole", SILENT)

    def kill(event):
        if event.step == at:
            raise Killed

    with pytest.raises(Killed):
        train_answers(first, GROUPS, SETTINGS, tmp_path / "killed", Stage("test", [kill]))
    steps = []
    assert train_answers(second, GROUPS, SETTINGS, tmp_path / "killed", Stage("test", [steps.append])) == rows
    assert (steps[0].step, steps[0].steps) == (at - at % 2 + 1, 10)
    assert torch.equal(weights(second), weights(whole))


def test_the_slower_form_is_announced():
    model, events = llama(), []
    stage = Stage("test", [events.append])
    assert logps_function(model, stage) is shared_logps
    model.config.sliding_window = 4
    assert logps_function(model, stage) is separate_logps
    (event,) = events
    assert "the prompt is read again for every answer" in event.text
