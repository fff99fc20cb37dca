"""Tiny checkpoints, made on the spot."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tokenizers
import torch
from tokenizers import models

from tutti import checkpoints
from tutti.models.llama.config import LlamaConfig
from tutti.models.llama.model import LlamaForCausalLM

CONFIG: dict[str, Any] = {
    "model_type": "llama",
    "vocab_size": 32,
    "hidden_size": 16,
    "intermediate_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 64,
    "tie_word_embeddings": False,
}


@pytest.fixture
def config() -> dict[str, Any]:
    """`config.json` of a llama of 5,000 parameters."""
    return dict(CONFIG)


@pytest.fixture
def files() -> dict[str, str]:
    """What a checkpoint has beside its weights."""
    tokenizer = tokenizers.Tokenizer(models.WordLevel({"dog": 0, "[UNK]": 1}, unk_token="[UNK]"))
    return {"tokenizer.json": tokenizer.to_str()}


@pytest.fixture
def build() -> Callable[..., LlamaForCausalLM]:
    """A model with weights of its own."""

    def make(**changes: Any) -> LlamaForCausalLM:
        torch.manual_seed(7)
        return LlamaForCausalLM(LlamaConfig.from_hf({**CONFIG, **changes}))

    return make


@pytest.fixture
def folder(tmp_path: Path, config: dict[str, Any], files: dict[str, str], build: Callable[..., Any]) -> Path:
    """A sound checkpoint."""
    checkpoints.save(build(), tmp_path / "tiny", config, files)
    return tmp_path / "tiny"


@pytest.fixture
def edit_config(folder: Path) -> Callable[..., Path]:
    """Change keys of the folder's `config.json`."""

    def edit(**changes: Any) -> Path:
        file = folder / "config.json"
        file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))
        return folder

    return edit


@pytest.fixture
def write_header() -> Callable[..., Path]:
    """Write a safetensors file by hand, from a header (an object, or text that pretends to be one) and its data."""

    def write(file: Path, header: dict[str, Any] | str | bytes, data: bytes = b"", length: int | None = None) -> Path:
        content = (
            header
            if isinstance(header, bytes)
            else (header if isinstance(header, str) else json.dumps(header)).encode()
        )
        file.write_bytes(struct.pack("<Q", len(content) if length is None else length) + content + data)
        return file

    return write


@pytest.fixture
def omni_config(config: dict[str, Any]) -> dict[str, Any]:
    """`config.json` of a model of pictures, sounds and clips."""
    trunk = {"channels": [4, 4, 4], "blocks": [1, 1, 1], "width": 8, "layers": 1, "heads": 2, "inner": 16}
    return {
        "model_type": "tutti_omni",
        "shared_width": 8,
        "words": {
            "vocabulary": 32, "width": 8, "special_tokens": 4, "layers": 1, "heads": 2, "inner": 16, "max_tokens": 8
        },
        "trunks": {
            "image": {"kind": "picture", "size": 64, **trunk},
            "audio": {"kind": "sound", "size": 16, **trunk},
            "video": {"kind": "frames", "of": "image", "sound": "audio", "max_frames": 8},
        },
        "connectors": {
            "image": {"kind": "mlp", "merge": 2},
            "audio": {"kind": "linear", "merge": 4},
            "video": {"kind": "mlp", "merge": 4},
        },
        "decoder": config,
        "placeholder_ids": {"image": 1, "audio": 2, "video": 3},
        "user_id": 0,
        "assistant_id": 1,
        "eos_id": 2,
    }  # fmt: skip


@pytest.fixture
def omni_settings() -> dict[str, Any]:
    """`preprocessor_config.json` for it."""
    image = {
        "size": {"longest_edge": 64}, "do_pad": True, "pad_color": "border_mean",
        "image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5],
    }  # fmt: skip
    audio = {"feature_size": 16, "sampling_rate": 8000, "hop_length": 100, "n_fft": 200, "pad_multiple_frames": 64}
    return {"image": image, "audio": audio, "video": {"frames": 8}}
