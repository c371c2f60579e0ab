"""LoRA (arXiv 2106.09685) on every linear layer: what G and V are trained with."""

from __future__ import annotations

from typing import Any

from trackrec.config import LoraSettings


def load_base(path: str, dtype: str) -> Any:
    """The causal LM in ``path`` for training, on the GPU where there is one; safetensors only, no remote code."""
    import torch
    from transformers import AutoModelForCausalLM

    load: Any = AutoModelForCausalLM.from_pretrained
    model = load(path, dtype=dtype, local_files_only=True, use_safetensors=True, attn_implementation="sdpa")
    return model.to("cuda" if torch.cuda.is_available() else "cpu")


def with_lora(model: Any, settings: LoraSettings, seed: int) -> Any:
    """``model`` with a new adapter, its other weights frozen. B starts at zero: it computes what ``model`` did."""
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
    return get_peft_model(model, config)
