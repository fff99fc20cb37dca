"""Blocks of trunks in one call: what torch gives but for rounding, the same alone and in a batch, and never needed."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from tutti.engine.passes import run_passes, undo_passes
from tutti.models.clip.config import CLIPVisionConfig
from tutti.models.clip.model import CLIPVisionModel
from tutti.models.layers import linear, native, packed, trunk_block
from tutti.models.layers.codes import quantize
from tutti.models.layers.linear import QuantizedLinear
from tutti.models.layers.trunk_block import _ACTIVATIONS, Compiled, block_fault

needs_it = pytest.mark.skipif(block_fault("gelu") is not None, reason="the compiled part is not there")


@pytest.fixture(autouse=True)
def on_any_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are right where torch is faster, too."""
    monkeypatch.setattr(trunk_block, "pays", lambda: True)
    for module in (packed, linear):
        monkeypatch.setattr(module, "attends_in_bfloat16", lambda _device="cpu": False)


def tower(activation: str = "quick_gelu", width: int = 96, inner: int = 160) -> CLIPVisionModel:
    torch.manual_seed(0)
    config = CLIPVisionConfig(
        hidden_size=width, intermediate_size=inner, num_hidden_layers=3, num_attention_heads=3, hidden_act=activation,
        image_size=48, patch_size=8,
    )  # fmt: skip
    model = CLIPVisionModel(config).eval().requires_grad_(False)
    for name, layer in list(model.named_modules()):
        if isinstance(layer, nn.Linear):
            layer.weight.normal_(std=2 * width**-0.5)
            model.set_submodule(name, QuantizedLinear(quantize(layer.weight, "int8"), layer.bias))
    return model


def blocks(model: nn.Module) -> list[Compiled]:
    return [one for one in model.modules() if isinstance(one, Compiled)]


@needs_it
@pytest.mark.parametrize("activation", ["gelu", "quick_gelu", "gelu_pytorch_tanh"])
@pytest.mark.parametrize(("width", "inner"), [(96, 160), (192, 250)])
@torch.inference_mode()
def test_states_are_those_of_torch(activation: str, width: int, inner: int) -> None:
    model, pictures = tower(activation, width, inner), torch.randn(3, 3, 48, 48)
    wanted = model(pictures)
    run_passes(model)
    assert all(block.compiled is not None for block in blocks(model))
    found = model(pictures)
    change = (wanted.last_hidden_state - model.pre_layrnorm(model.embeddings(pictures))).norm()
    assert 0 < float((found.last_hidden_state - wanted.last_hidden_state).norm() / change) < 0.02


@needs_it
@pytest.mark.parametrize("activation", sorted(_ACTIVATIONS))
def test_each_activation_is_tried(activation: str) -> None:
    assert block_fault(activation) is None


@needs_it
@torch.inference_mode()
def test_a_picture_is_the_same_alone_and_among_others_with_any_number_of_threads() -> None:
    model, pictures, before = tower(), torch.randn(5, 3, 48, 48), torch.get_num_threads()
    run_passes(model)
    try:
        torch.set_num_threads(1)
        together = model(pictures).last_hidden_state
        for threads in (1, 2):
            torch.set_num_threads(threads)
            alone = torch.cat([model(one[None]).last_hidden_state for one in pictures])
            assert torch.equal(alone, together)
    finally:
        torch.set_num_threads(before)


@needs_it
def test_what_was_compiled_can_be_undone_follows_nowhere_and_knows_its_layers() -> None:
    model = tower()
    states = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    run_passes(model)
    block, x = blocks(model)[0], torch.randn(1, 37, 96)
    assert block.compiled is not None
    assert block.compiled.takes(x, block.parts)
    assert not block.compiled.takes(x.double(), block.parts)
    assert not block.compiled.takes(x.expand(60, -1, -1), block.parts), "too many at once"
    assert not block.compiled.takes(x.requires_grad_(), block.parts), "gradients go the way of torch"
    block.mlp.fc1 = nn.Linear(96, 160)
    assert not block.compiled.takes(x.detach(), block.parts), "such as with an adapter"
    block.compile_block()
    assert block.compiled is None
    other = tower()
    run_passes(other)
    assert blocks(other.double())[0].compiled is None
    third = tower()
    undo_passes(run_passes(third))
    assert all(one.compiled is None for one in blocks(third))
    assert all(torch.equal(tensor, states[name]) for name, tensor in third.state_dict().items())


@needs_it
def test_a_wrong_one_is_found_out_and_a_missing_one_not_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    right = trunk_block.CompiledBlock.__call__
    monkeypatch.setattr(trunk_block.CompiledBlock, "__call__", lambda self, x: right(self, x).roll(1, 1))
    assert "differs by" in (block_fault.__wrapped__("gelu") or "")
    monkeypatch.setattr(native, "library", lambda: None)
    assert block_fault.__wrapped__("gelu") == "is not there"
