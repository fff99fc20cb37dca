"""Tables of words beside quantized layers: one copy of codes with the outputs that they are, otherwise 16 bits."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.parity.tiny_whisper import noise, save_theirs
from tutti import checkpoints
from tutti.checkpoints.headers import read_folder
from tutti.content import Audio
from tutti.engine.passes import run_passes, undo_passes
from tutti.model import load
from tutti.models.layers.codes import quantize as to_codes
from tutti.models.layers.linear import HeldEmbedding, QuantizedEmbedding

TABLE = "model.decoder.embed_tokens"


@pytest.fixture(scope="module")
def whisper(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_theirs(tmp_path_factory.mktemp("whisper") / "theirs", {"config": {"d_model": 64}}).folder


@pytest.mark.parametrize("quantize", ["int8", "int4+trunks"])
def test_the_outputs_share_the_codes_of_the_table(whisper: Path, quantize: str, tmp_path: Path) -> None:
    done = checkpoints.shrink(whisper, tmp_path / "small", quantize)
    entries = read_folder(tmp_path / "small")
    assert entries[f"{TABLE}.weight"].dtype == "I8"
    assert f"{TABLE}.weight_scale" in entries
    assert not any(name.startswith("proj_out") for name in entries)
    plain = load_file(whisper / "model.safetensors")[f"{TABLE}.weight"]
    loaded = checkpoints.load(tmp_path / "small")
    model = loaded.model
    table = model.model.decoder.embed_tokens
    assert isinstance(table, QuantizedEmbedding)
    codes = to_codes(plain, "int8")
    ids = torch.tensor([[0, 5, len(plain) - 1]])
    assert torch.equal(table(ids), codes.dequantized()[ids])
    assert (table(ids) - plain[ids]).abs().max() <= 0.5001 * codes.scale.max()
    hidden = torch.randn(3, plain.shape[1], generator=torch.Generator().manual_seed(0))
    assert float((model.logits(hidden) - hidden @ codes.dequantized().t()).norm() / (hidden @ plain.t()).norm()) < 0.02
    for info in (loaded.info, checkpoints.inspect(tmp_path / "small")):
        assert info.quantization == loaded.report.quantized == done.quantized
        assert info.memory_bytes == {"as stored": loaded.report.memory_bytes}
        assert info.parameters == checkpoints.inspect(whisper).parameters
    assert done.memory_bytes == loaded.report.memory_bytes


def test_quantizing_while_loading_equals_the_folder(whisper: Path, tmp_path: Path) -> None:
    checkpoints.shrink(whisper, tmp_path / "small", "int8+trunks")
    sound, options = Audio(noise(1.7), sample_rate_hz=16_000), {"language": "fr", "temperatures": 0.0}
    folder = load(tmp_path / "small").transcribe(sound, **options)
    loading = load(whisper, quantize="int8+trunks").transcribe(sound, **options)
    assert (folder.text, folder.segments) == (loading.text, loading.segments)
    model = run_passes(checkpoints.load(tmp_path / "small").model)
    config = json.loads((whisper / "config.json").read_text())
    checkpoints.save(undo_passes(model), tmp_path / "again", config, {})
    first, second = (load_file(tmp_path / name / "model.safetensors") for name in ("small", "again"))
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_a_folder_whose_outputs_have_codes_of_their_own_is_read_as_before(whisper: Path, tmp_path: Path) -> None:
    checkpoints.shrink(whisper, tmp_path / "small", "int8")
    file = tmp_path / "small" / "model.safetensors"
    tensors = load_file(file)
    tensors["proj_out.weight"], tensors["proj_out.weight_scale"] = (
        tensors.pop(f"{TABLE}.{part}") for part in ("weight", "weight_scale")
    )
    plain = load_file(whisper / "model.safetensors")[f"{TABLE}.weight"]
    save_file({**tensors, f"{TABLE}.weight": plain}, file, {"format": "pt"})
    loaded = checkpoints.load(tmp_path / "small")
    assert torch.equal(loaded.model.model.decoder.embed_tokens.weight, plain)
    assert loaded.report.memory_bytes == loaded.info.memory_bytes["as stored"]


@pytest.mark.parametrize(("largest", "kept"), [(1.0, torch.float16), (1e6, torch.bfloat16)])
def test_a_table_of_its_own_is_held_in_16_bits(
    tmp_path: Path, config: dict[str, Any], files: dict[str, str], build: Callable[..., Any], largest: float, kept: Any
) -> None:
    model = build()
    with torch.no_grad():
        model.model.embed_tokens.weight[3, 3] = largest
    checkpoints.save(model, tmp_path / "plain", config, files)
    loaded = checkpoints.load(tmp_path / "plain", quantize="int8")
    table = loaded.model.model.embed_tokens
    assert isinstance(table, HeldEmbedding)
    assert table.weight.dtype == kept
    assert loaded.report.memory_bytes == loaded.info.memory_bytes["int8"]
    checkpoints.shrink(tmp_path / "plain", tmp_path / "small", "int8")
    again = checkpoints.load(tmp_path / "small")
    assert torch.equal(again.model.model.embed_tokens.weight, table.weight)
    assert {entry.dtype for name, entry in read_folder(tmp_path / "small").items() if "embed" in name} == {
        "F16" if kept == torch.float16 else "BF16"
    }
