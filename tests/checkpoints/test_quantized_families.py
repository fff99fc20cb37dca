"""int8 and int4 in every family that generates: what is quantized, how close it stays, and that folders keep it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from tests.parity import (
    test_idefics3_parity,
    test_idefics_parity,
    test_llava_next_parity,
    test_llava_parity,
    test_mllama_parity,
    tiny_whisper,
    written,
)
from tutti import checkpoints
from tutti.checkpoints.families import FAMILIES
from tutti.engine.passes import run_passes
from tutti.models.layers.dispatch import int8_sums
from tutti.models.layers.linear import QuantizedLinear

WIDE = {"hidden_size": 64, "intermediate_size": 192, "num_attention_heads": 4, "num_key_value_heads": 4}
TURNS = [("user", [written.noise(60, 30), written.TEXTS[0]]), ("assistant", ["a cat"]), ("user", ["and now"])]
ROUNDED = 4 / int8_sums().levels
"""Largest relative error of logits that rounding activations to so many levels makes, and int8 weights to 127."""
AGREED = 1 - 19 / int8_sums().levels
"""Least share of tokens, of random models, that stay the likeliest."""
Inputs = dict[str, Any]


def llava(folder: Path) -> Inputs:
    return written.given(test_llava_parity.save_theirs(folder, {"text": WIDE}).processor, TURNS)


def llava_next(folder: Path) -> Inputs:
    return written.given(test_llava_next_parity.save_theirs(folder, {"text": WIDE}).processor, TURNS)


def mllama(folder: Path) -> Inputs:
    saved = test_mllama_parity.save_theirs(folder, {"text": WIDE})
    return test_mllama_parity.theirs_for(saved, TURNS)


def idefics(folder: Path) -> Inputs:
    wide = {name: value for name, value in WIDE.items() if name != "num_key_value_heads"}
    return test_idefics_parity.theirs_for(test_idefics_parity.save_theirs(folder, wide), TURNS)


def idefics3(folder: Path) -> Inputs:
    case = {"type": "idefics3", "scale_factor": 2, "text": WIDE}
    return written.given(test_idefics3_parity.save_theirs(folder, case).processor, TURNS)


def smolvlm(folder: Path) -> Inputs:
    case = {"type": "smolvlm", "scale_factor": 2, "text": {**WIDE, "tie_word_embeddings": True}}
    saved = test_idefics3_parity.save_theirs(folder, {**case, "tie_word_embeddings": True})
    return written.given(saved.processor, TURNS)


def whisper(folder: Path) -> Inputs:
    sizes = {"d_model": 64, "decoder_ffn_dim": 192}
    saved = tiny_whisper.save_theirs(folder, {"config": sizes})
    words = torch.randint(0, 200, (2, 24), generator=torch.Generator().manual_seed(0))
    sounds = [tiny_whisper.noise(tiny_whisper.WINDOW_S, seed) for seed in (1, 2)]
    heard = saved.extractor(sounds, sampling_rate=tiny_whisper.RATE_HZ, return_tensors="pt")
    return {"input_features": heard["input_features"], "decoder_input_ids": words}


WRITERS: dict[str, Callable[[Path], Inputs]] = {
    one.__name__: one for one in (llava, llava_next, mllama, idefics, idefics3, smolvlm, whisper)
}


@pytest.fixture(scope="module", params=WRITERS)
def saved(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Inputs]:
    """A checkpoint of the reference that is wide enough for int4, and what to give it."""
    folder = tmp_path_factory.mktemp(request.param) / "theirs"
    return folder, write(request.param, folder)


def write(name: str, folder: Path) -> Inputs:
    """Have the reference write one, and make its matrices small."""
    inputs = WRITERS[name](folder)
    # Smaller than where parity is proven: there, the least change of a weight turns attention elsewhere.
    family, tensors = FAMILIES[name], load_file(folder / "model.safetensors")
    for weight, tensor in tensors.items():
        if tensor.ndim == 2 and family.name_in_model(weight).startswith(tuple(family.decoder_blocks)):
            tensor.mul_(0.4)
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    return inputs


def error(found: Tensor, wanted: Tensor) -> float:
    return float((found - wanted).norm() / wanted.norm())


@torch.inference_mode()
@pytest.mark.parametrize(("quantize", "bound", "agree"), [("int8", ROUNDED, AGREED), ("int4", 0.3, 0.55)])
def test_logits_stay_close(
    saved: tuple[Path, Inputs], tmp_path: Path, quantize: str, bound: float, agree: float
) -> None:
    folder, inputs = saved
    plain, loaded = checkpoints.load(folder), checkpoints.load(folder, quantize=quantize)
    run_passes(loaded.model)
    found, wanted = loaded.model(**inputs).logits, plain.model(**inputs).logits
    assert 0 < error(found, wanted) < bound
    assert (found.argmax(-1) == wanted.argmax(-1)).float().mean() > agree
    checkpoints.save(loaded.model, tmp_path / "kept", json.loads((folder / "config.json").read_text()),
                     written.files_beside(folder))  # fmt: skip
    again = checkpoints.load(tmp_path / "kept")
    assert again.report.quantized == loaded.report.quantized == again.info.quantization
    assert torch.equal(again.model(**inputs).logits, found)


@pytest.mark.parametrize("quantize", ["int8", "int4"])
@torch.inference_mode()
def test_what_is_kept_stays_in_16_bits_as_inspect_tells(
    saved: tuple[Path, Inputs], tmp_path: Path, quantize: str
) -> None:
    folder, inputs = saved
    half = shutil.copytree(folder, tmp_path / "half")
    tensors = {name: tensor.half() for name, tensor in load_file(folder / "model.safetensors").items()}
    save_file(tensors, half / "model.safetensors", {"format": "pt"})
    loaded = checkpoints.load(half, quantize=quantize)
    assert loaded.report.memory_bytes == loaded.info.memory_bytes[quantize]
    assert error(loaded.model(**inputs).logits, checkpoints.load(half).model(**inputs).logits) < 0.3
    checkpoints.shrink(half, tmp_path / "kept", quantize)
    again = checkpoints.load(tmp_path / "kept")
    assert again.report.memory_bytes == again.info.memory_bytes["as stored"] == loaded.report.memory_bytes
    assert torch.equal(again.model(**inputs).logits, loaded.model(**inputs).logits)


def test_the_decoder_is_quantized_and_nothing_else(saved: tuple[Path, Inputs]) -> None:
    folder, _ = saved
    loaded = checkpoints.load(folder, quantize="int4")
    family = FAMILIES[loaded.info.family]
    assert loaded.report.quantized == loaded.info.quantization
    for name, layer in loaded.model.named_modules():
        inside = any(name.startswith(f"{block}.") for block in family.decoder_blocks)
        if isinstance(layer, QuantizedLinear):
            assert inside or name in family.outputs, name
            fits = layer.kernel.rows % 64 == 0 and layer.kernel.width % 32 == 0
            assert layer.scheme == ("int4" if inside and fits else "int8"), name
        else:
            assert not (inside and isinstance(layer, torch.nn.Linear)), name
