"""Packed checkpoints: wide weights lie as int8 with a factor a row, and load as floating-point weights."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from tutti import checkpoints
from tutti.checkpoints.headers import PACKED
from tutti.errors import CheckpointError

WIDE: dict[str, Any] = {"hidden_size": 64, "intermediate_size": 128}


@pytest.fixture
def packed(tmp_path: Path, config: dict[str, Any], files: dict[str, str], build: Callable[..., Any]) -> Path:
    checkpoints.save(build(**WIDE), tmp_path / "packed", {**config, **WIDE}, files, dtype="packed")
    return tmp_path / "packed"


def test_what_is_packed_loads_within_half_a_step(packed: Path, build: Callable[..., Any]) -> None:
    stored = load_file(packed / "model.safetensors")
    loaded = checkpoints.load(packed).model.state_dict()
    for name, weight in build(**WIDE).state_dict().items():
        if weight.dim() > 1 and weight.shape[1] >= 64:
            assert stored[name].dtype == torch.int8
            step = weight.abs().amax(1, keepdim=True) / 127
            assert ((loaded[name] - weight).abs() <= step * 0.501).all()
        else:
            assert stored[name].dtype == torch.float16
        assert loaded[name].dtype == torch.float32


def test_it_takes_half_of_float16_and_is_described_as_what_it_becomes(packed: Path) -> None:
    loaded = checkpoints.load(packed)
    info = checkpoints.inspect(packed)
    values = sum(weight.numel() for weight in loaded.model.parameters())
    assert info.parameters == values
    assert info.bytes < 1.3 * values
    assert info.memory_bytes["float32"] == 4 * values


@pytest.mark.parametrize("scheme", ["int8", "int4"])
def test_it_can_be_quantized(packed: Path, scheme: str) -> None:
    plain, quantized = checkpoints.load(packed).model, checkpoints.load(packed, quantize=scheme).model
    ids = torch.arange(8)[None]
    with torch.inference_mode():
        expected, found = plain(ids).logits, quantized(ids).logits
    assert torch.nn.functional.cosine_similarity(expected.flatten(), found.flatten(), dim=0) > 0.98


def test_it_can_be_shrunk_to_a_folder_of_codes(packed: Path, tmp_path: Path) -> None:
    checkpoints.shrink(packed, tmp_path / "codes", "int8")
    ids = torch.arange(8)[None]
    with torch.inference_mode():
        from_codes = checkpoints.load(tmp_path / "codes").model(ids).logits
        at_once = checkpoints.load(packed, quantize="int8").model(ids).logits
    torch.testing.assert_close(from_codes, at_once, atol=2e-2, rtol=2e-2)


def test_a_factor_without_its_weight_is_refused(packed: Path) -> None:
    tensors = load_file(packed / "model.safetensors")
    name = next(name for name in tensors if name.endswith(PACKED))
    del tensors[name.removesuffix(PACKED)]
    save_file(tensors, packed / "model.safetensors")
    with pytest.raises(CheckpointError, match="fits no packed weight"):
        checkpoints.load(packed)
