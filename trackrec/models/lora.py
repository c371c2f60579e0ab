"""LoRA (arXiv 2106.09685) on every linear layer: what G and V are trained with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from trackrec.models.resolve import Model
from trackrec.runtime.settings import LoraSettings


def load(model: Model, dtype: str) -> Any:
    """The causal LM with its adapter, if it has one, for inference: on the GPU where there is one."""
    network = _base(model, dtype)
    return (_with_adapter(network, model, trainable=False) if model.adapter else network).eval()


def trainable(model: Model, dtype: str, settings: LoraSettings, seed: int) -> Any:
    """``model`` ready to be trained: its adapter, or a new one, in float32 over frozen weights in ``dtype``.

    A new adapter starts with B = 0 and so computes what ``model`` did; an adapter keeps its own rank.
    """
    network = _base(model, dtype)
    if model.adapter:
        return _with_adapter(network, model, trainable=True)
    import torch
    from peft import LoraConfig, get_peft_model

    torch.manual_seed(seed)
    config = LoraConfig(
        r=settings.rank,
        lora_alpha=settings.alpha,
        lora_dropout=0.0,  # the log-probabilities of reference and policy must be those of one function
        target_modules="all-linear",
        task_type="CAUSAL_LM",
    )
    return get_peft_model(network, config)


def write_merged(model: Model, folder: Path) -> None:
    """The weights of ``model`` with its adapter added to them, in float32, and the tokenizer's files."""
    from transformers import AutoTokenizer

    load(model, "float32").merge_and_unload().save_pretrained(folder, safe_serialization=True)
    AutoTokenizer.from_pretrained(model.path, local_files_only=True).save_pretrained(folder)


def _base(model: Model, dtype: str) -> Any:
    import torch
    from transformers import AutoModelForCausalLM
    from transformers.utils import logging

    disable_progress_bar: Any = logging.disable_progress_bar  # untyped upstream
    disable_progress_bar()  # of loading the weights, which takes a second
    from_pretrained: Any = AutoModelForCausalLM.from_pretrained
    network = from_pretrained(model.path, dtype=dtype, local_files_only=True, use_safetensors=True)
    return network.to("cuda" if torch.cuda.is_available() else "cpu")


def _with_adapter(network: Any, model: Model, *, trainable: bool) -> Any:
    from peft import PeftModel

    return PeftModel.from_pretrained(network, model.adapter, is_trainable=trainable)
