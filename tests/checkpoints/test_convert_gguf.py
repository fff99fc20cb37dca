"""GGUF files: tiny ones give the reference's logits, and hostile ones their sentence."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM, Qwen2Config, Qwen2ForCausalLM

from tests.checkpoints.gguf_writer import BYTE_LEVEL, PIECES, byte_level, scored, write
from tutti import checkpoints
from tutti.checkpoints.gguf_header import read_gguf
from tutti.cli.main import main
from tutti.errors import CheckpointError, TuttiError, UnsupportedConfig
from tutti.models.llama.config import RopeScaling
from tutti.models.llama.model import _llama3
from tutti.processing.gguf_vocabulary import tokenizer_of_gguf

TEMPLATE = "{% for message in messages %}{{ message.content }}{% endfor %}<|im_end|>"
SIZES: dict[str, Any] = {
    "vocab_size": len(BYTE_LEVEL),
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 64,
    "initializer_range": 0.2,
    "bos_token_id": None,
    "eos_token_id": None,
}
Kind = gguf.GGMLQuantizationType


def reference(architecture: str, **changes: Any) -> Any:
    torch.manual_seed(5)
    config, model = {"llama": (LlamaConfig, LlamaForCausalLM), "qwen2": (Qwen2Config, Qwen2ForCausalLM)}[architecture]
    made = model(config(**{**SIZES, **changes})).eval()
    for name, parameter in made.named_parameters():
        if name.endswith("bias"):
            torch.nn.init.normal_(parameter)
    return made


def written(file: Path, model: Any, kind: Kind = Kind.F32, **entries: Any) -> Path:
    config = model.config.to_dict()
    tied = config["tie_word_embeddings"]
    weights = {name: one for name, one in model.state_dict().items() if not (tied and name == "lm_head.weight")}
    vocabulary = scored() if config["vocab_size"] == len(PIECES) else byte_level()
    write(file, config["model_type"], config, weights, {**vocabulary, **entries}, kind)
    return file


@pytest.fixture
def qwen(tmp_path: Path) -> Path:
    return written(tmp_path / "tiny.gguf", reference("qwen2"), **{"tokenizer.chat_template": TEMPLATE})


@pytest.mark.parametrize(
    ("architecture", "changes"),
    [
        ("qwen2", {"tie_word_embeddings": True}),
        ("qwen2", {"rope_theta": 1e6}),
        ("llama", {"vocab_size": len(PIECES)}),
        ("llama", {"attention_bias": True, "mlp_bias": True, "num_key_value_heads": 1}),
    ],
)
@torch.inference_mode()
def test_logits_are_those_of_the_reference(tmp_path: Path, architecture: str, changes: dict[str, Any]) -> None:
    theirs = reference(architecture, **changes)
    file = written(tmp_path / "tiny.gguf", theirs, Kind.F16)
    done = checkpoints.convert(file, tmp_path / "made")
    assert done["parameters"] == sum(one.numel() for one in theirs.parameters())
    loaded = checkpoints.load(tmp_path / "made")
    ids = torch.randint(0, theirs.config.vocab_size, (2, 40), generator=torch.Generator().manual_seed(1))
    theirs.load_state_dict(
        {name: one.half().float() if one.dim() > 1 else one for name, one in theirs.state_dict().items()}
    )
    torch.testing.assert_close(loaded.model(ids).logits, theirs(ids).logits, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("kind", [Kind.Q8_0, Kind.Q5_0, Kind.Q4_0, Kind.BF16])
@torch.inference_mode()
def test_quantized_values_are_multiplied_out(tmp_path: Path, kind: Kind) -> None:
    theirs = reference("qwen2")
    checkpoints.convert(written(tmp_path / "tiny.gguf", theirs, kind), tmp_path / "made")
    ours = checkpoints.load(tmp_path / "made").model.state_dict()
    for name, tensor in theirs.state_dict().items():
        expected = tensor.numpy()
        if tensor.dim() > 1:
            expected = gguf.dequantize(gguf.quantize(expected, kind), kind)
        np.testing.assert_allclose(ours[name].numpy(), expected, rtol=1e-3, atol=1e-6)


def test_the_folder_has_what_the_file_says(qwen: Path, tmp_path: Path) -> None:
    checkpoints.convert(qwen, tmp_path / "made")
    made = tmp_path / "made"
    assert (made / "chat_template.jinja").read_text() == TEMPLATE
    assert json.loads((made / "generation_config.json").read_text()) == {"eos_token_id": [6]}
    assert json.loads((made / "tokenizer_config.json").read_text()) == {"eos_token": "<|im_end|>"}
    info = checkpoints.inspect(made)
    assert (info.family, info.tasks) == ("qwen2", ("ask",))
    prompt = checkpoints.load(made).processor.prompt([("user", ["ab a"])])
    assert prompt.input_ids.tolist() == [5, 4, 6]


def test_a_command_converts_and_quantizes(qwen: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["convert", str(qwen), "--into", str(tmp_path / "made"), "--quantize", "int8", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["quantization"]
    assert main(["ask", "ab", "--model", str(tmp_path / "made"), "--max-tokens", "3"]) == 0


def test_a_model_that_is_such_a_file_is_told_how(qwen: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ask", "ab", "--model", str(qwen)]) == 2
    assert "tutti convert" in capsys.readouterr().err


def test_positions_stretched_as_llama3_does_are_known_again(tmp_path: Path) -> None:
    scaling = {"rope_type": "llama3", "factor": 32.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0}
    scaling |= {"original_max_position_embeddings": 8192}
    theirs = reference("llama", rope_theta=5e5, head_dim=16)
    plain = 1 / 5e5 ** (torch.arange(0, 16, 2).double() / 16)
    divisors = (plain / _llama3(plain, RopeScaling(**scaling))).float().numpy()
    config = theirs.config.to_dict()
    file = tmp_path / "tiny.gguf"
    write(file, "llama", config, theirs.state_dict(), byte_level(), further={"rope_freqs.weight": divisors})
    checkpoints.convert(file, tmp_path / "made")
    assert json.loads((tmp_path / "made/config.json").read_text())["rope_scaling"] == scaling
    write(
        file, "llama", config, theirs.state_dict(), byte_level(), further={"rope_freqs.weight": divisors[::-1].copy()}
    )
    with pytest.raises(UnsupportedConfig, match="another way than Llama 3"):
        checkpoints.convert(file, tmp_path / "other")


def test_pieces_with_scores_are_split_as_sentencepiece_does() -> None:
    tokenizer = tokenizer_of_gguf(scored())
    assert [tokenizer.token(one) for one in tokenizer.encode("ab a", add_special=True)] == [
        "<s>",
        "\u2581a",
        "b",
        "\u2581a",
    ]
    assert tokenizer.decode(tokenizer.encode("ab é")) == "ab é"


@pytest.mark.parametrize("pre", ["qwen2", "llama-bpe", "tekken", "gpt-2", "default", "llama3"])
def test_byte_level_pairs_are_merged(pre: str) -> None:
    tokenizer = tokenizer_of_gguf(byte_level(pre))
    assert tokenizer.encode("ab a<tool_call>") == [5, 4, 7]
    assert tokenizer.encode("<|im_end|>", parse_special=True) == [6]
    assert tokenizer.decode([5, 4, 6]) == "ab a"


def changed(qwen: Path, change: Callable[[bytes], bytes]) -> Path:
    qwen.write_bytes(change(qwen.read_bytes()))
    return qwen


def entry(name: str, value: bytes) -> Callable[[bytes], bytes]:
    """Replace the value behind an entry's name, of as many bytes."""

    def change(content: bytes) -> bytes:
        place = content.index(name.encode()) + len(name) + 4
        return content[:place] + value + content[place + len(value) :]

    return change


HOSTILE: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "empty": (lambda content: b"", "0 bytes"),
    "another file": (lambda content: b"PK" + content[2:], "does not begin as a GGUF"),
    "version": (lambda content: content[:4] + b"\x09" + content[5:], "version 9"),
    "byte order": (lambda content: content[:4] + b"\0\0\0\x03" + content[8:], "byte order"),
    "tensors": (lambda content: content[:8] + b"\xff" * 8 + content[16:], "at most 65,536"),
    "entries": (lambda content: content[:16] + b"\xff" * 8 + content[24:], "at most 4,096"),
    "name": (lambda content: content[:24] + b"\xff" * 8 + content[32:], "a text of"),
    "header": (lambda content: content[:400], "in the middle of its header"),
    "values": (lambda content: content[:-4000], "cut off"),
    "tokens": (entry("tokenizer.ggml.tokens", struct.pack("<IQ", 8, 2**40)), "items of a list"),
    "nested": (entry("tokenizer.ggml.tokens", struct.pack("<I", 9)), "a list of the type 9"),
    "blocks": (entry("qwen2.block_count", struct.pack("<I", 0)), "block_count 0"),
    "heads": (entry("qwen2.attention.head_count", struct.pack("<I", 3)), "the second to divide the first"),
    "more blocks": (entry("qwen2.block_count", struct.pack("<I", 3)), "differs from the configuration"),
    "architecture": (lambda content: content.replace(b"qwen2", b"gemma"), "architecture 'gemma'"),
    "no vocabulary": (lambda content: content.replace(b"ggml.tokens", b"ggml.t0kens"), "no vocabulary"),
    "no end": (entry("tokenizer.ggml.eos_token_id", struct.pack("<I", 99)), "which are no tokens"),
    "merges": (lambda content: content.replace("\u0120 a".encode(), "\u0120 z".encode()), "no tokens"),
    "template": (lambda content: content.replace(b"{% endfor %}", b"{% endif  %}"), "template cannot be read"),
}


@pytest.mark.parametrize(("change", "said"), HOSTILE.values(), ids=HOSTILE)
def test_hostile_files_get_their_sentence(
    qwen: Path, tmp_path: Path, change: Callable[[bytes], bytes], said: str
) -> None:
    with pytest.raises(TuttiError) as caught:
        checkpoints.convert(changed(qwen, change), tmp_path / "made")
    assert said in str(caught.value)
    assert not (tmp_path / "made").exists()


def test_any_cut_and_any_changed_byte_of_a_header_is_an_error_of_ours_or_none(qwen: Path) -> None:
    content = qwen.read_bytes()
    generator = np.random.default_rng(0)
    for _ in range(400):
        broken = bytearray(content[: int(generator.integers(len(content)))] if generator.random() < 0.3 else content)
        if broken:
            broken[int(generator.integers(min(len(broken), 3000)))] = int(generator.integers(256))
        qwen.write_bytes(bytes(broken))
        try:
            read_gguf(qwen)
        except TuttiError as error:
            assert str(error).endswith(".")


def test_values_that_are_no_numbers_are_refused(tmp_path: Path) -> None:
    theirs = reference("qwen2")
    with torch.no_grad():
        theirs.model.layers[0].mlp.up_proj.weight[3, 3] = float("nan")
    with pytest.raises(CheckpointError, match="no numbers"):
        checkpoints.convert(written(tmp_path / "tiny.gguf", theirs), tmp_path / "made")


def test_one_of_several_files_is_refused(tmp_path: Path) -> None:
    file = written(tmp_path / "tiny.gguf", reference("qwen2"), **{"split.count": 2})
    with pytest.raises(UnsupportedConfig, match="one of 2 files"):
        checkpoints.convert(file, tmp_path / "made")
