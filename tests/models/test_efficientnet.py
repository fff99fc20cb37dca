"""EfficientNet-Lite against its layers written out, and what the published weights say of it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from tutti.engine.passes import run_passes, undo_passes
from tutti.errors import UnsupportedConfig
from tutti.models.efficientnet.config import EfficientNetConfig
from tutti.models.efficientnet.model import EfficientNet

SMALL = EfficientNetConfig(
    stem=8, repeats=(1, 2), kernels=(3, 5), strides=(1, 2), expands=(1, 3), channels=(8, 12), width=20, classes=7
)


def random_model(config: EfficientNetConfig, seed: int = 0) -> EfficientNet:
    torch.manual_seed(seed)
    model = EfficientNet(config).eval()
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.3)
            module.running_var.uniform_(0.5, 2)
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
            torch.nn.init.normal_(module.bias, 0, 0.3)
    return model


def same(x: Tensor, weight: Tensor, stride: int, groups: int = 1) -> Tensor:
    """TensorFlow's SAME convolution, by its definition: one output place at a time."""
    kernel = weight.shape[-1]
    rows, columns = (-(-side // stride) for side in x.shape[-2:])
    out = torch.empty(x.shape[0], weight.shape[0], rows, columns)
    before = [
        max((count - 1) * stride + kernel - side, 0) // 2
        for count, side in zip((rows, columns), x.shape[-2:], strict=True)
    ]
    wide = F.pad(x, (kernel, kernel, kernel, kernel))
    for row in range(rows):
        for column in range(columns):
            top, left = row * stride - before[0] + kernel, column * stride - before[1] + kernel
            patch = wide[:, :, top : top + kernel, left : left + kernel].reshape(x.shape[0], groups, -1)
            sums = torch.einsum("bgk,gok->bgo", patch, weight.reshape(groups, weight.shape[0] // groups, -1))
            out[:, :, row, column] = sums.reshape(x.shape[0], -1)
    return out


def norm(x: Tensor, state: dict[str, Tensor], name: str) -> Tensor:
    mean, var = state[f"{name}.running_mean"], state[f"{name}.running_var"]
    scaled = (x - mean[:, None, None]) / (var[:, None, None] + 1e-3) ** 0.5
    return scaled * state[f"{name}.weight"][:, None, None] + state[f"{name}.bias"][:, None, None]


def written_out(config: EfficientNetConfig, state: dict[str, Tensor], x: Tensor) -> Tensor:
    """The network from its description, without a module."""
    x = norm(same(x, state["_conv_stem.weight"], 2), state, "_bn0").clamp(0, 6)
    for number, block in enumerate(config.blocks()):
        prefix = f"_blocks.{number}."
        own = {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}
        y = x
        if block.expand != 1:
            y = norm(same(y, own["_expand_conv.weight"], 1), own, "_bn0").clamp(0, 6)
        y = norm(same(y, own["_depthwise_conv.weight"], block.stride, y.shape[1]), own, "_bn1").clamp(0, 6)
        y = norm(same(y, own["_project_conv.weight"], 1), own, "_bn2")
        x = x + y if block.stride == 1 and block.channels_in == block.channels_out else y
    x = norm(same(x, state["_conv_head.weight"], 1), state, "_bn1").clamp(0, 6)
    return x.mean((2, 3)) @ state["_fc.weight"].T + state["_fc.bias"]


@pytest.mark.parametrize("size", [16, 15, 18])
@torch.inference_mode()
def test_the_network_is_its_layers_written_out(size: int) -> None:
    model = random_model(SMALL)
    x = torch.randn(2, 3, size, size)
    torch.testing.assert_close(model(x).logits, written_out(SMALL, model.state_dict(), x), atol=1e-4, rtol=1e-4)


@torch.inference_mode()
def test_folded_is_unfolded() -> None:
    model = random_model(SMALL)
    x = torch.randn(2, 3, 24, 24)
    plain = model(x).logits
    names = set(model.state_dict())
    run_passes(model)
    torch.testing.assert_close(model(x).logits, plain, atol=1e-5, rtol=1e-4)
    assert set(model.state_dict()) == names
    undo_passes(model)
    torch.testing.assert_close(model(x).logits, plain)


@torch.inference_mode()
def test_parameters_and_operations_are_counted() -> None:
    config = EfficientNetConfig()
    model = EfficientNet(config).eval()
    assert config.parameters() == sum(parameter.numel() for parameter in model.parameters()) == 4_652_008
    with FlopCounterMode(display=False) as counter:
        grid = model.features(torch.zeros(1, 3, 64, 64))
    assert counter.get_total_flops() == config.flops(64)
    assert grid.shape == (1, 1280, 64 // config.stride, 64 // config.stride)


def test_stages_of_unequal_number_are_refused() -> None:
    with pytest.raises(UnsupportedConfig, match="expected one number a stage in each"):
        EfficientNetConfig(repeats=(1, 2))


@pytest.mark.weights
@torch.inference_mode()
def test_published_weights_are_read_whole_and_say_what_they_see() -> None:
    """All tensors of the published file have their place, and the network they make equals the layers written out."""
    file = Path(os.environ["PUBLISHED_WEIGHTS"]) / "efficientnet-lite0" / "efficientnet-lite0-57934424.pth"
    state = torch.load(file, weights_only=True)
    model = EfficientNet(EfficientNetConfig()).eval()
    model.load_state_dict(state)
    x = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0)) * 2 - 1
    logits = model(x).logits
    torch.testing.assert_close(logits, written_out(model.config, state, x), atol=1e-3, rtol=1e-3)
