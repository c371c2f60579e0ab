"""One GGUF file of the Llama or Qwen2 family into plain safetensors that every engine and trainer reads."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from trackrec.runtime.errors import BadInputError

_VOLATILE = ("quantization_config", "_name_or_path", "transformers_version")  # not properties of the weights
_FAMILIES = ("llama", "qwen2")


def convert_gguf(file: Path, target: Path) -> Path:
    """Write the model in ``file`` to the folder ``target`` as bf16 safetensors with its tokenizer; returns ``target``.

    135 M parameters take 20 s on two idle cores, 1.8 billion two minutes and at their height 6 GB. The result depends
    on the file alone. Raises BadInputError when the model is of no known family, or its tokenizer has no chat template
    or no end token of its own.
    """
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from transformers.utils import logging as transformers_logging

    _check_family(file)
    logging: Any = transformers_logging  # untyped upstream
    logging.disable_progress_bar()
    print(f"trackrec: converting {file.name} to safetensors, once (20 s to 3 minutes).", file=sys.stderr)
    location: dict[str, Any] = {"pretrained_model_name_or_path": str(file.parent), "gguf_file": file.name}
    tokenizer = AutoTokenizer.from_pretrained(**location)
    # Each tensor is rounded to bf16 as soon as it is dequantised: the whole model in float32 would be twice as large.
    loaded = AutoModelForCausalLM.from_pretrained(**location, dtype=torch.bfloat16)
    settings = {key: value for key, value in loaded.config.to_dict().items() if key not in _VOLATILE}
    end = tokenizer.eos_token_id
    if not tokenizer.chat_template or end is None or end != settings["eos_token_id"]:
        raise BadInputError(f"{file.name} has no chat template or no end token.", "Give the model as safetensors.")
    _plain_copy(loaded, settings).save_pretrained(target)
    tokenizer.save_pretrained(target)
    for name in ("config.json", "generation_config.json"):
        _drop_volatile(target / name)
    return target


def _check_family(file: Path) -> None:
    from gguf import GGUFReader

    try:
        family = str(GGUFReader(file).fields["general.architecture"].contents())
    except (ValueError, KeyError, IndexError):
        raise BadInputError(f"{file.name} is no GGUF file.", "Name another model.") from None
    if family not in _FAMILIES:
        known = " and ".join(_FAMILIES)
        raise BadInputError(f"{file.name} holds a {family}; GGUF of {known} is read.", "Give it as safetensors.")


def _plain_copy(loaded: Any, settings: dict[str, Any]) -> Any:
    """The model with the same weights, not copied, and without the loader's own quantisation settings.

    The loader leaves those on its model, and save_pretrained would write them.
    """
    import torch

    with torch.device("meta"):
        plain = type(loaded)(type(loaded.config)(**settings))
    plain.load_state_dict(loaded.state_dict(), assign=True)
    plain.tie_weights()
    return plain


def _drop_volatile(path: Path) -> None:
    """Without the writer's version in it, the same GGUF gives the same bytes, hence the same model version."""
    settings = json.loads(path.read_text(encoding="utf-8"))
    kept = {key: value for key, value in settings.items() if key not in _VOLATILE}
    path.write_text(json.dumps(kept, indent=2, sort_keys=True) + "\n", encoding="utf-8")
