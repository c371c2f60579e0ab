"""One GGUF file of the Llama family into plain safetensors that every engine and trainer reads."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from trackrec.runtime.errors import BadInputError

_VOLATILE = ("quantization_config", "_name_or_path", "transformers_version")  # not properties of the weights


def convert_gguf(file: Path, target: Path) -> Path:
    """Write the model in ``file`` to the folder ``target`` as bf16 safetensors with its tokenizer; returns ``target``.

    Takes 20 s on two idle cores, 60 s on busy ones. The result depends on the file alone. Raises BadInputError when
    the model is no Llama or its tokenizer has no chat template or no end token of its own.
    """
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig, LlamaForCausalLM
    from transformers.utils import logging as transformers_logging

    logging: Any = transformers_logging  # untyped upstream
    logging.disable_progress_bar()
    print(f"trackrec: converting {file.name} to safetensors, once (20-60 s).", file=sys.stderr)
    location: dict[str, Any] = {"pretrained_model_name_or_path": str(file.parent), "gguf_file": file.name}
    tokenizer = AutoTokenizer.from_pretrained(**location)
    loaded = AutoModelForCausalLM.from_pretrained(**location, dtype=torch.float32)
    settings = {key: value for key, value in loaded.config.to_dict().items() if key not in _VOLATILE}
    if settings["model_type"] != "llama":
        raise BadInputError(f"{file.name} holds a {settings['model_type']}, not a llama.", "Give it as safetensors.")
    end = tokenizer.eos_token_id
    if not tokenizer.chat_template or end is None or end != settings["eos_token_id"]:
        raise BadInputError(f"{file.name} has no chat template or no end token.", "Give the model as safetensors.")
    # The loader leaves its own quantisation settings on the model; a plain copy carries none into save_pretrained.
    build: Any = LlamaForCausalLM  # untyped upstream
    plain = build(LlamaConfig(**settings))
    plain.load_state_dict(loaded.state_dict())
    plain.to(torch.bfloat16).save_pretrained(target)
    tokenizer.save_pretrained(target)
    for name in ("config.json", "generation_config.json"):
        _drop_volatile(target / name)
    return target


def _drop_volatile(path: Path) -> None:
    """Without the writer's version in it, the same GGUF gives the same bytes, hence the same model version."""
    settings = json.loads(path.read_text(encoding="utf-8"))
    kept = {key: value for key, value in settings.items() if key not in _VOLATILE}
    path.write_text(json.dumps(kept, indent=2, sort_keys=True) + "\n", encoding="utf-8")
