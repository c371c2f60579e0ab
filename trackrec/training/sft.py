"""Supervised fine-tuning of an adapter on ready token ids: transformers' Trainer, loss on the answer only.

TRL's SFTTrainer gives the same losses. It computes the vocabulary's logits, their entropy and accuracy at every token
of the prompt too, here three of four: 20 to 25 s a step of 8 examples of 270 tokens on 2 cores, where this took 9.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trackrec.models.adapters import save_adapter
from trackrec.models.resolve import Model, base_model
from trackrec.runtime.errors import BadInputError, TrackrecError
from trackrec.runtime.events import Stage
from trackrec.runtime.settings import DistillSettings

_IGNORED = -100  # a label that no loss is taken on
_MOST_IN_MEMORY = 4  # examples at a time: 8 of 270 tokens in float32 took 13 GB, and no less time


@dataclass(frozen=True)
class Example:
    """Token ids of a prompt and of the answer that is to be learned behind it."""

    prompt: tuple[int, ...]
    answer: tuple[int, ...]

    @property
    def row(self) -> dict[str, list[int]]:
        """input_ids and labels: the prompt is read, only the answer is learned."""
        return {
            "input_ids": [*self.prompt, *self.answer],
            "labels": [_IGNORED] * len(self.prompt) + list(self.answer),
        }


def fine_tune(
    model: Model,
    examples: Sequence[Example],
    settings: DistillSettings,
    folder: Path,
    *,
    dtype: str,
    stage: Stage,
) -> dict[str, float]:
    """Train ``model``'s adapter, or a new one, and write it to ``folder``; returns examples, steps, first, last loss.

    Every step is reported to ``stage``. What is there already is not trained again. A killed training starts anew: the
    Trainer's checkpoints are pickles, and not complete or absent. Raises BadInputError without examples, TrackrecError
    where a loss is no number.
    """
    if not examples:
        raise BadInputError("there are no examples to tune on.", "Look at the shares under distill and feedback.")
    from trackrec.training.products import products  # torch's, which the jobs with Spark do without

    losses = folder.with_name(f"{folder.name}-losses.txt")
    if not folder.is_dir():
        scratch = folder.with_name(f"{folder.name}-scratch")
        with products(bfloat16=settings.bfloat16_products):
            trained, step_losses = _train(model, examples, settings, _arguments(settings, scratch), dtype, stage)
        shutil.rmtree(scratch, ignore_errors=True)
        losses.write_text("\n".join(map(str, step_losses)))
        base = base_model(model)
        save_adapter(trained, folder, source=base.source, version=base.version)
    steps = [float(line) for line in losses.read_text().split()]
    return {"examples": len(examples), "steps": len(steps), "first_loss": steps[0], "last_loss": steps[-1]}


def _train(
    model: Model,
    examples: Sequence[Example],
    settings: DistillSettings,
    arguments: Any,
    dtype: str,
    stage: Stage,
) -> tuple[Any, list[float]]:
    from transformers import AutoTokenizer, DataCollatorForSeq2Seq
    from transformers.trainer_callback import PrinterCallback

    from trackrec.models.lora import trainable

    tokenizer = AutoTokenizer.from_pretrained(model.path, local_files_only=True)
    tokenizer.pad_token = tokenizer.pad_token or tokenizer.eos_token  # what it stands in is masked
    trainer: Any = _answer_trainer()(
        model=trainable(model, dtype, settings.lora, settings.seed),
        args=arguments,
        train_dataset=[example.row for example in examples],
        data_collator=DataCollatorForSeq2Seq(tokenizer, label_pad_token_id=_IGNORED),
        callbacks=[_step_reporter(stage)],
    )
    trainer.remove_callback(PrinterCallback)
    trainer.train()
    return trainer.model, [row["loss"] for row in trainer.state.log_history if "loss" in row]


def _answer_trainer() -> Any:
    """The class of the trainer; a function, as transformers takes seconds to import."""
    import torch
    from torch.nn.functional import cross_entropy
    from transformers import Trainer

    class AnswerTrainer(Trainer):
        """Computes logits only where a token of an answer is predicted; a step's loss is the mean over all these."""

        loss_is_scaled_for_ga = True  # by the tokens of all that a step accumulates

        def __init__(self, **arguments: Any) -> None:
            super().__init__(**arguments)
            self.model_accepts_loss_kwargs = True  # else these are not counted

        def compute_loss(
            self,
            model: Any,
            inputs: dict[str, torch.Tensor],
            return_outputs: bool = False,
            num_items_in_batch: Any = None,
        ) -> torch.Tensor:
            targets = inputs["labels"][:, 1:]
            columns = (targets != _IGNORED).any(dim=0).nonzero().squeeze(1)
            shown = {name: inputs[name] for name in ("input_ids", "attention_mask")}
            logits = model(**shown, logits_to_keep=columns, use_cache=False).logits.float()
            total = cross_entropy(
                logits.flatten(0, 1), targets[:, columns].flatten(), ignore_index=_IGNORED, reduction="sum"
            )
            loss: torch.Tensor = total / num_items_in_batch
            return loss

    return AnswerTrainer


def _arguments(settings: DistillSettings, scratch: Path) -> Any:
    import torch
    from transformers import TrainingArguments

    together = max(n for n in range(1, _MOST_IN_MEMORY + 1) if settings.batch_size % n == 0)
    arguments = TrainingArguments(
        output_dir=str(scratch),
        per_device_train_batch_size=together,
        gradient_accumulation_steps=settings.batch_size // together,
        num_train_epochs=settings.epochs,
        train_sampling_strategy="group_by_length" if settings.by_length else "random",
        learning_rate=settings.learning_rate,
        lr_scheduler_type="linear",
        warmup_steps=settings.warmup,  # below 1: a share of all steps
        seed=settings.seed,
        data_seed=settings.seed,
        gradient_checkpointing=False,
        bf16=False,  # the weights are in dtype already, the adapter in float32
        use_cpu=not torch.cuda.is_available(),
        save_strategy="no",
        logging_steps=1,
        logging_nan_inf_filter=False,
        report_to=[],
        disable_tqdm=True,
        dataloader_pin_memory=False,
    )
    if arguments.n_gpu > 1:  # the Trainer would share each batch among the GPUs, and with it the columns of the loss
        arguments._n_gpu = 1
    return arguments


def _step_reporter(stage: Stage) -> Any:
    from transformers import TrainerCallback

    class StepReporter(TrainerCallback):
        """Reports every step in place of the trainer's own print, and ends at the first loss that is no number."""

        def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
            if "loss" not in (logs or {}):
                return
            if not float(logs["loss"]) < float("inf"):
                raise TrackrecError(
                    f"fine-tuning: the loss of step {state.global_step} is {logs['loss']}; nothing was written.",
                    "Lower the learning rate.",
                )
            stage.step(state.global_step, state.max_steps, {"loss": float(logs["loss"])})

    return StepReporter()
