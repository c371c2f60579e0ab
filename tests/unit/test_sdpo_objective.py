"""S-DPO training on a small Llama: where it starts, what it learns, and that a kill leaves no trace."""

import math

import pytest
import torch

from tests.unit.test_prefix import llama
from trackrec.runtime.errors import TrackrecError
from trackrec.runtime.events import Stage
from trackrec.runtime.settings import AlignmentSettings
from trackrec.training.prefix import Group, shared_logps
from trackrec.training.sdpo_loss import sdpo_losses
from trackrec.training.sdpo_objective import Preference, train_sdpo

# The chosen answer ends in token 7, the rejected ones in 8 and 9.
PREFERENCES = [Preference(f"p{i}", Group((1, 10 + i, 11), ((20 + i, 7), (21 + i, 8), (22, 23, 9)))) for i in range(6)]
SETTINGS = AlignmentSettings(learning_rate=3e-3, batch_size=2, epochs=4, checkpoint_steps=2, beta=0.5)


SILENT = Stage("test")


def weights(model):
    return torch.cat([p.detach().flatten() for p in model.parameters()])


def test_training_starts_at_the_reference_and_learns_to_prefer_the_chosen(tmp_path):
    rows = train_sdpo(llama(), PREFERENCES, SETTINGS, tmp_path, SILENT)
    assert rows[0]["loss"] == pytest.approx(math.log(3), abs=1e-6)
    assert (rows[0]["margin"], rows[0]["accuracy"]) == (0.0, 0.5)
    assert rows[-1]["loss"] < 0.3
    assert rows[-1]["margin"] > 1
    assert rows[-1]["accuracy"] == 1.0
    assert len(rows) == 12


def test_a_step_follows_the_mean_loss_of_its_groups(tmp_path):
    model, other = llama(), llama()
    once = SETTINGS.model_copy(update={"batch_size": 6, "epochs": 1, "warmup": 0.0})
    train_sdpo(model, PREFERENCES, once, tmp_path, SILENT)
    optimizer = torch.optim.AdamW(other.parameters(), lr=once.learning_rate, weight_decay=0.0)
    logps = torch.stack([shared_logps(other, p.group) for p in PREFERENCES])
    sdpo_losses(logps, logps.detach(), torch.ones_like(logps, dtype=torch.bool), once.beta).mean().backward()
    torch.nn.utils.clip_grad_norm_(other.parameters(), once.max_grad_norm)
    optimizer.step()
    torch.testing.assert_close(weights(model), weights(other), rtol=1e-4, atol=1e-5)


def one_step_by_hand(model, settings, loss_of):
    """The weights after the first step on all preferences; ``loss_of``: log-probabilities and tokens → mean loss."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=settings.learning_rate, weight_decay=0.0)
    logps = torch.stack([shared_logps(model, p.group) for p in PREFERENCES])
    loss_of(logps, torch.tensor([p.group.counts for p in PREFERENCES])).backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), settings.max_grad_norm)
    optimizer.step()
    return weights(model)


ONE_STEP = {"batch_size": 6, "epochs": 1, "warmup": 0.0}
ALL = torch.ones(6, 3, dtype=torch.bool)


def test_length_normalised_a_step_follows_the_loss_of_mean_log_probabilities(tmp_path):
    model, settings = llama(), SETTINGS.model_copy(update=ONE_STEP | {"length_normalised": True})
    (row,) = train_sdpo(model, PREFERENCES, settings, tmp_path, SILENT)

    def loss(logps, tokens):
        return sdpo_losses(logps / tokens, logps.detach() / tokens, ALL, settings.beta).mean()

    torch.testing.assert_close(weights(model), one_step_by_hand(llama(), settings, loss), rtol=1e-4, atol=1e-5)
    assert row["loss"] == pytest.approx(math.log(3), abs=1e-6)
    assert "chosen_nll" not in row


def test_with_an_sft_weight_the_chosen_texts_own_loss_is_added(tmp_path):
    model, settings = llama(), SETTINGS.model_copy(update=ONE_STEP | {"sft_weight": 0.5})
    (row,) = train_sdpo(model, PREFERENCES, settings, tmp_path, SILENT)

    def loss(logps, tokens):
        return sdpo_losses(logps, logps.detach(), ALL, settings.beta).mean() - 0.5 * (logps / tokens)[:, 0].mean()

    torch.testing.assert_close(weights(model), one_step_by_hand(llama(), settings, loss), rtol=1e-4, atol=1e-5)
    assert row["loss"] == pytest.approx(math.log(3) + 0.5 * row["chosen_nll"], abs=1e-6)


def test_with_an_sft_weight_the_chosen_texts_become_likelier_than_without(tmp_path):
    nll = {}
    for weight in (0.0, 1.0):
        model = llama()
        train_sdpo(
            model, PREFERENCES, SETTINGS.model_copy(update={"sft_weight": weight}), tmp_path / str(weight), SILENT
        )
        logps = torch.stack([shared_logps(model, p.group) for p in PREFERENCES])
        nll[weight] = -logps[:, 0].mean().item()
    assert nll[1.0] < nll[0.0]


class Killed(BaseException):
    pass


@pytest.mark.parametrize("at", [1, 4, 5, 11])
def test_a_run_that_was_killed_and_resumed_ends_with_the_same_weights(tmp_path, at):
    whole, first, second = llama(), llama(), llama()
    rows = train_sdpo(whole, PREFERENCES, SETTINGS, tmp_path / "whole", SILENT)

    def kill(event):
        if event.step == at:
            raise Killed

    with pytest.raises(Killed):
        train_sdpo(first, PREFERENCES, SETTINGS, tmp_path / "killed", Stage("test", [kill]))
    steps = []
    assert train_sdpo(second, PREFERENCES, SETTINGS, tmp_path / "killed", Stage("test", [steps.append])) == rows
    assert (steps[0].step, steps[0].steps) == (at - at % 2 + 1, 12)
    assert torch.equal(weights(second), weights(whole))


def test_a_finished_run_trains_no_step_again(tmp_path):
    model, again, steps = llama(), llama(), []
    train_sdpo(model, PREFERENCES, SETTINGS, tmp_path, SILENT)
    train_sdpo(again, PREFERENCES, SETTINGS, tmp_path, Stage("test", [steps.append]))
    assert steps == []
    assert torch.equal(weights(again), weights(model))
    assert [p.name for p in tmp_path.glob("step-*")] == ["step-12"]
    assert len((tmp_path / "steps.jsonl").read_text().splitlines()) == 12


def test_a_loss_that_is_no_number_stops_training_names_the_history_and_keeps_the_last_checkpoint(tmp_path):
    model = llama()
    bad = Preference("the broken one", Group((1, 47), ((7,), (8,))))
    with torch.no_grad():
        model.get_input_embeddings().weight[47] = float("nan")
    settings = SETTINGS.model_copy(update={"batch_size": 1, "checkpoint_steps": 1, "epochs": 3, "seed": 3})
    with pytest.raises(TrackrecError, match="loss of history the broken one is nan"):
        train_sdpo(model, [*PREFERENCES, bad], settings, tmp_path, SILENT)
    kept = list(tmp_path.glob("step-*/weights.safetensors"))
    assert len(kept) == 1


def test_a_folder_of_other_preferences_is_refused(tmp_path):
    train_sdpo(llama(), PREFERENCES, SETTINGS, tmp_path, SILENT)
    with pytest.raises(TrackrecError, match="holds the training of other preferences"):
        train_sdpo(llama(), PREFERENCES[:5], SETTINGS, tmp_path, SILENT)
